import type { EngineEvent } from '../engine/event.ts';
import type { Json } from '../engine/json.ts';
import type { RunStatus } from '../engine/state.ts';
import type { AuditEntry } from './audit.ts';
import type { BatchItem, Outcome, VersionChange } from './batch.ts';
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

export interface SignalGiven {
  readonly name: string;
  /** The same id counts once in a run. */
  readonly id: string;
  readonly payload: Json;
}

/** What is absent is as it was: from where the run ended, with what the step's mapping makes, on the run's own version. */
export interface RetryGiven {
  readonly fromStep?: string | null;
  /** A branch or item: the step's scope, or one around it. */
  readonly fromScope?: string | null;
  readonly inputData?: Json | undefined;
  /** Of the same workflow. */
  readonly version?: VersionChange | undefined;
}

/** Where signs of life are kept. */
export interface Heartbeats {
  /** Under the run's lock. @returns whether the attempt is still open and has been asked of an agent. */
  beat(runId: string, stepExecutionId: string): Promise<boolean>;
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
  retry(runId: string, given: RetryGiven, audit: AuditEntry): Promise<RunChanged>;
  signal(runId: string, signal: SignalGiven, audit: AuditEntry): Promise<RunChanged>;
  pause(runId: string, audit: AuditEntry): Promise<RunChanged>;
  resume(runId: string, audit: AuditEntry): Promise<RunChanged>;
  /** Of a whole workflow; in batches, each run for itself, and with a record of its own. In the order of the ids. */
  pauseAll(runIds: readonly string[], audit: AuditEntry): Promise<readonly RunChanged[]>;
  resumeAll(runIds: readonly string[], audit: AuditEntry): Promise<readonly RunChanged[]>;
  /** @returns whether the attempt is still open: false tells the agent to stop. */
  heartbeat(runId: string, stepExecutionId: string): Promise<boolean>;
  complete(runId: string, stepExecutionId: string, output: Json, audit: AuditEntry): Promise<RunChanged>;
  fail(runId: string, stepExecutionId: string, error: AgentReport, audit: AuditEntry): Promise<RunChanged>;
}

export function createChangeRun(decideBatch: DecideBatch, heartbeats: Heartbeats): ChangeRun {
  const decide = async (item: BatchItem): Promise<RunChanged> => {
    const [outcome] = (await decideBatch([item])) as [Outcome];
    return changeOf(outcome);
  };
  const decideAll = async (runIds: readonly string[], event: EngineEvent, audit: AuditEntry) => {
    const changes: RunChanged[] = [];
    for (let start = 0; start < runIds.length; start += RUNS_AT_ONCE) {
      const batch = runIds.slice(start, start + RUNS_AT_ONCE);
      changes.push(...(await decideBatch(batch.map((runId) => ({ runId, event, audit })))).map(changeOf));
    }
    return changes;
  };
  // The callback's token names the attempt, and is one attempt's only: there is no number to compare.
  const answered = { type: 'agent_answered', attempt: null, logs: null } as const;
  return {
    cancel: (runId, cancellation, audit) =>
      decide({ runId, event: { type: 'cancellation_requested', ...cancellation }, audit }),
    cancelAll: (runIds, cancellation, audit) =>
      decideAll(runIds, { type: 'cancellation_requested', ...cancellation }, audit),
    retry: (runId, { version, ...given }, audit) =>
      decide({ runId, event: { type: 'retry_requested', ...given }, audit, ...(version && { version }) }),
    signal: (runId, { id: signalId, ...signal }, audit) =>
      decide({ runId, event: { type: 'signal_received', signalId, ...signal }, audit }),
    pause: (runId, audit) => decide({ runId, event: { type: 'pause_requested' }, audit }),
    resume: (runId, audit) => decide({ runId, event: { type: 'resume_requested' }, audit }),
    pauseAll: (runIds, audit) => decideAll(runIds, { type: 'pause_requested', by: 'workflow' }, audit),
    resumeAll: (runIds, audit) => decideAll(runIds, { type: 'resume_requested', by: 'workflow' }, audit),
    complete: (runId, stepExecutionId, output, audit) =>
      decide({
        runId,
        event: { ...answered, stepExecutionId, outcome: { status: 'completed', output } },
        audit,
      }),
    fail: (runId, stepExecutionId, error, audit) =>
      decide({ runId, event: { ...answered, stepExecutionId, outcome: { status: 'failed', error } }, audit }),
    heartbeat: (runId, stepExecutionId) => heartbeats.beat(runId, stepExecutionId),
  };
}

/** One transaction's: their rows are locked while it lasts. */
const RUNS_AT_ONCE = 100;

function changeOf(outcome: Outcome): RunChanged {
  return outcome.outcome === 'decided'
    ? { ok: true, status: outcome.status }
    : { ok: false, refusal: outcome };
}
