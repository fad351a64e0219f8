import type { Agent } from '../agents/agent.ts';
import { planDefaults } from '../config/plan-defaults.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { AttemptCall } from '../persistence/agent-calls.ts';
import type { Outbound } from './outbound.ts';
import type { AgentBridgePorts, Invocation } from './ports.ts';

/** A task with the agent that is to be called for it. */
export interface ReadyTask {
  readonly task: AgentTask;
  readonly agent: Agent;
  readonly timeoutMs: number;
}

/** Kept of an invocation's time to publish what the last call answered. */
export const PUBLISH_RESERVE_MS = 3_000;

/** An invocation came to its end before it could call every agent. */
export class OutOfTimeError extends Error {
  readonly code = 'OUT_OF_TIME';
}

/** The step's own timeout comes first, then its agent's. */
export function timeoutMsOf(
  { timeoutMs }: Pick<AttemptCall, 'timeoutMs'>,
  { timeoutSeconds }: Agent,
): number {
  return timeoutMs ?? (timeoutSeconds === null ? planDefaults.defaultTimeoutMs : timeoutSeconds * 1000);
}

/**
 * The step's time runs from here (design §3, two clocks).
 * @param patienceMs how long the call may take here, where that is less than its time
 * @returns whether the task is dealt with: false where the call was given up
 * @throws OutOfTimeError
 */
export async function callOneAgent(
  { task, agent, timeoutMs }: ReadyTask,
  {
    invocation,
    outbound,
  }: { readonly invocation: Invocation; readonly outbound: Pick<Outbound, 'answer' | 'accepted'> },
  {
    callAgent,
    tokens,
    publicUrl,
    clock,
  }: Pick<AgentBridgePorts, 'callAgent' | 'tokens' | 'publicUrl' | 'clock'>,
  measured: (durationMs: number, isGivenUp: boolean) => void,
  patienceMs?: number,
): Promise<boolean> {
  const { step_execution_id } = task;
  const availableMs = Math.floor(invocation.remainingMs() - PUBLISH_RESERVE_MS);
  if (availableMs <= 0) {
    throw new OutOfTimeError(
      `No time left to call the agent of ${step_execution_id}. Give the function more time.`,
    );
  }
  const isCutShort = availableMs < timeoutMs;
  const path = `${encodeURIComponent(step_execution_id)}/${tokens.callbackToken(step_execution_id)}`;
  const startedAt = clock();
  const outcome = await callAgent({
    agent,
    timeoutMs: isCutShort ? availableMs : timeoutMs,
    patienceMs,
    timeoutMessage: isCutShort ? cutShortMessage(timeoutMs, availableMs) : undefined,
    idempotencyKey: task.idempotency_key,
    body: {
      run_id: task.run_id,
      step_execution_id,
      step_id: task.step_id,
      attempt: task.attempt,
      input_data: task.input_data,
      callback_url: `${publicUrl}/api/v1/callbacks/${path}`,
    },
  });
  const elapsedMs = clock() - startedAt;
  measured(elapsedMs, outcome.status === 'given_up');
  if (outcome.status === 'given_up') return false;
  if (outcome.status === 'accepted') outbound.accepted(task, Math.max(timeoutMs - elapsedMs, 0));
  else outbound.answer(task, outcome);
  return true;
}

function cutShortMessage(timeoutMs: number, availableMs: number): string {
  return (
    `The agent did not answer within ${availableMs} ms. The step allows ${timeoutMs} ms, but the function that called it ` +
    'had no more time: let the agent accept the task and use its callback_url.'
  );
}
