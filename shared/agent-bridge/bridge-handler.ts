import type { Context } from 'aws-lambda';
import * as z from 'zod';
import type { Environment } from '../config/environment.ts';
import type { MskEvent } from '../kafka/msk-event.ts';
import { agentTask } from '../messages/messages.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { AgentBridge } from './agent-bridge.ts';
import type { OpenAgentBridge, OpenOptions } from './open-agent-bridge.ts';

const handedTasks = z.object({ handed_tasks: z.array(agentTask) });

/** The handler of a bridge's function: batches from its event source mapping, and tasks that an earlier invocation handed on. */
export function createBridgeHandler(
  service: string,
  environment: Environment,
  open: (environment: Environment, options: OpenOptions) => OpenAgentBridge,
): (event: unknown, context: Context) => Promise<void> {
  let bridge: AgentBridge | undefined;
  return async (event, context) => {
    bridge ??= openAs(context.invokedFunctionArn);
    const invocation = { remainingMs: () => context.getRemainingTimeInMillis() };
    const handed = handedTasks.safeParse(event);
    if (handed.success) await bridge.handleHanded(handed.data.handed_tasks, invocation);
    else await bridge.handleRecords(event as MskEvent, invocation);
  };

  /** @param functionName with its alias, so that what is handed on is done by the same release. */
  function openAs(functionName: string): AgentBridge {
    const logger = createLogger({ service, level: environment.logLevel });
    const warn: OpenOptions['warn'] = (message, details) => logger.warn(message, details);
    return open(environment, { functionName, warn }).bridge;
  }
}
