import type { EngineEvent } from '../engine/event.ts';
import type { Json } from '../engine/json.ts';
import type { RunStatus } from '../engine/state.ts';
import type { AuditEntry } from './audit.ts';
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

export interface Cancellation {
  readonly by: string;
  readonly reason: string | null;
}

/** What is asked of one run from outside. Decided and committed, with its audit record, when it resolves. */
export interface ChangeRun {
  cancel(runId: string, cancellation: Cancellation, audit: AuditEntry): Promise<RunChanged>;
  /** In batches; each run for itself, and with a record of its own. In the order of the ids. */
  cancelAll(
    runIds: readonly string[],
    cancellation: Cancellation,
    audit: AuditEntry,
  ): Promise<readonly RunChanged[]>;
  retry(runId: string, audit: AuditEntry): Promise<RunChanged>;
  complete(runId: string, stepExecutionId: string, output: Json, audit: AuditEntry): Promise<RunChanged>;
  fail(runId: string, stepExecutionId: string, error: AgentReport, audit: AuditEntry): Promise<RunChanged>;
}

export function createChangeRun(decideBatch: DecideBatch): ChangeRun {
  const decide = async (runId: string, event: EngineEvent, audit: AuditEntry): Promise<RunChanged> => {
    const [outcome] = (await decideBatch([{ runId, event, audit }])) as [Outcome];
    return changeOf(outcome);
  };
  // The callback's token names the attempt, and is one attempt's only: there is no number to compare.
  const answered = { type: 'agent_answered', attempt: null, logs: null } as const;
  return {
    cancel: (runId, cancellation, audit) =>
      decide(runId, { type: 'cancellation_requested', ...cancellation }, audit),
    async cancelAll(runIds, cancellation, audit) {
      const changes: RunChanged[] = [];
      for (let start = 0; start < runIds.length; start += CANCELLED_AT_ONCE) {
        const batch = runIds.slice(start, start + CANCELLED_AT_ONCE);
        const event = { type: 'cancellation_requested', ...cancellation } as const;
        changes.push(...(await decideBatch(batch.map((runId) => ({ runId, event, audit })))).map(changeOf));
      }
      return changes;
    },
    retry: (runId, audit) => decide(runId, { type: 'retry_requested' }, audit),
    complete: (runId, stepExecutionId, output, audit) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'completed', output } }, audit),
    fail: (runId, stepExecutionId, error, audit) =>
      decide(runId, { ...answered, stepExecutionId, outcome: { status: 'failed', error } }, audit),
  };
}

/** One transaction's: their rows are locked while it lasts. */
const CANCELLED_AT_ONCE = 100;

function changeOf(outcome: Outcome): RunChanged {
  return outcome.outcome === 'decided'
    ? { ok: true, status: outcome.status }
    : { ok: false, refusal: outcome };
}
