import type { Context } from 'aws-lambda';
import { z } from 'zod';
import { loadEnvironment } from '../../shared/config/environment.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import { agentTask } from '../../shared/messages/messages.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import type { HttpBridge } from './http-bridge.ts';
import { openHttpBridge } from './open-http-bridge.ts';

const handedTasks = z.object({ handed_tasks: z.array(agentTask) });

const environment = await loadEnvironment();
let bridge: HttpBridge | undefined;

/** Batches of `orchestrator.tasks.http` from the event source mapping, and tasks that an earlier invocation handed on. */
export async function handler(event: unknown, context: Context): Promise<void> {
  bridge ??= open(context.invokedFunctionArn);
  const invocation = { remainingMs: () => context.getRemainingTimeInMillis() };
  const handed = handedTasks.safeParse(event);
  if (handed.success) await bridge.handleHanded(handed.data.handed_tasks, invocation);
  else await bridge.handleRecords(event as MskEvent, invocation);
}

/** @param functionName with its alias, so that what is handed on is done by the same release. */
function open(functionName: string): HttpBridge {
  const logger = createLogger({ service: 'http-bridge', level: environment.logLevel });
  const warn = (message: string, details: Record<string, unknown>) => logger.warn(message, details);
  return openHttpBridge(environment, { functionName, warn }).bridge;
}
