import type { Json } from '../engine/json.ts';
import type { AgentError } from '../messages/messages.ts';

/** What came of calling an agent. A call never throws: whatever goes wrong is an outcome. */
export type CallOutcome =
  | { readonly status: 'completed'; readonly output: Json; readonly logs: readonly string[] | null }
  /** It will call back: by HTTP that is a 202. */
  | { readonly status: 'accepted' }
  /** Not answered within the caller's patience, which was less than its time. */
  | { readonly status: 'given_up' }
  | { readonly status: 'failed'; readonly error: AgentError; readonly logs: readonly string[] | null };

export type FailedCall = Extract<CallOutcome, { status: 'failed' }>;

export function failedCall(
  code: string,
  message: string,
  { retryable, retryAfterMs }: { retryable: boolean; retryAfterMs?: number | undefined },
): FailedCall {
  const error = {
    code,
    message,
    retryable,
    ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }),
  };
  return { status: 'failed', error, logs: null };
}

interface TimedCall {
  readonly timeoutMs: number;
  readonly patienceMs?: number | undefined;
  readonly timeoutMessage?: string | undefined;
}

/** When the call ends, answered or not. */
export function endsAfterMs({ timeoutMs, patienceMs = timeoutMs }: TimedCall): number {
  return Math.min(timeoutMs, patienceMs);
}

/** What comes of a call that has not been answered by its end. */
export function notAnsweredInTime({
  timeoutMs,
  patienceMs = timeoutMs,
  timeoutMessage,
}: TimedCall): CallOutcome {
  if (patienceMs < timeoutMs) return { status: 'given_up' };
  const message = timeoutMessage ?? `The agent did not answer within ${timeoutMs} ms`;
  return failedCall('TIMEOUT', message, { retryable: true });
}
