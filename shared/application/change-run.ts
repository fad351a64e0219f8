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
  /** In batches; each run for itself. In the order of the ids. */
  cancelAll(runIds: readonly string[], by: string, reason: string | null): Promise<readonly RunChanged[]>;
  retry(runId: string): Promise<RunChanged>;
  complete(runId: string, stepExecutionId: string, output: Json): Promise<RunChanged>;
  fail(runId: string, stepExecutionId: string, error: AgentReport): Promise<RunChanged>;
}

export function createChangeRun(decideBatch: DecideBatch): ChangeRun {
  const decide = async (runId: string, event: EngineEvent): Promise<RunChanged> => {
    const [outcome] = (await decideBatch([{ runId, event }])) as [Outcome];
    return changeOf(outcome);
  };
  // The callback's token names the attempt, and is one attempt's only: there is no number to compare.
  const answered = { type: 'agent_answered', attempt: null, logs: null } as const;
  return {
    cancel: (runId, by, reason) => decide(runId, { type: 'cancellation_requested', by, reason }),
    async cancelAll(runIds, by, reason) {
      const changes: RunChanged[] = [];
      for (let start = 0; start < runIds.length; start += CANCELLED_AT_ONCE) {
        const batch = runIds.slice(start, start + CANCELLED_AT_ONCE);
        const event = { type: 'cancellation_requested', by, reason } as const;
        changes.push(...(await decideBatch(batch.map((runId) => ({ runId, event })))).map(changeOf));
      }
      return changes;
    },
    retry: (runId) => decide(runId, { type: 'retry_requested' }),
    complete: (runId, stepExecutionId, output) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'completed', output } }),
    fail: (runId, stepExecutionId, error) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'failed', error } }),
  };
}

/** One transaction's: their rows are locked while it lasts. */
const CANCELLED_AT_ONCE = 100;

function changeOf(outcome: Outcome): RunChanged {
  return outcome.outcome === 'decided'
    ? { ok: true, status: outcome.status }
    : { ok: false, refusal: outcome };
}
