import type { EngineEvent } from '../engine/event.ts';
import type { Json } from '../engine/json.ts';
import type { RunStatus } from '../engine/state.ts';
import type { Outcome } from './batch.ts';
import type { DecideBatch } from './decide-batch.ts';

export type RunRefusal = Exclude<Outcome, { readonly outcome: 'decided' }>;

export type RunChanged =
  | { readonly ok: true; readonly status: RunStatus }
  | { readonly ok: false; readonly refusal: RunRefusal };

export interface AgentReport {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
}

/** What is asked of one run from outside. Decided and committed when it resolves. */
export interface ChangeRun {
  cancel(runId: string, by: string, reason: string | null): Promise<RunChanged>;
  retry(runId: string): Promise<RunChanged>;
  complete(runId: string, stepExecutionId: string, output: Json): Promise<RunChanged>;
  fail(runId: string, stepExecutionId: string, error: AgentReport): Promise<RunChanged>;
}

export function createChangeRun(decideBatch: DecideBatch): ChangeRun {
  const decide = async (runId: string, event: EngineEvent): Promise<RunChanged> => {
    const [outcome] = (await decideBatch([{ runId, event }])) as [Outcome];
    return outcome.outcome === 'decided'
      ? { ok: true, status: outcome.status }
      : { ok: false, refusal: outcome };
  };
  // The callback's token names the attempt, and is one attempt's only: there is no number to compare.
  const answered = { type: 'agent_answered', attempt: null, logs: null } as const;
  return {
    cancel: (runId, by, reason) => decide(runId, { type: 'cancellation_requested', by, reason }),
    retry: (runId) => decide(runId, { type: 'retry_requested' }),
    complete: (runId, stepExecutionId, output) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'completed', output } }),
    fail: (runId, stepExecutionId, error) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'failed', error } }),
  };
}
