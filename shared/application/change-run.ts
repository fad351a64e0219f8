import type { EngineEvent } from '../engine/event.ts';
import type { RunStatus } from '../engine/state.ts';
import type { AuditEntry } from './audit.ts';
import type { Outcome, VersionChange } from './batch.ts';
import type { ProcessBatch } from './process-batch.ts';

export type RunRefusal = Exclude<Outcome, { readonly outcome: 'decided' }>;

export type RunChanged =
  | { readonly ok: true; readonly status: RunStatus }
  | { readonly ok: false; readonly refusal: RunRefusal };

/** What a call may ask of a run. */
export type RequestedChange = Extract<
  EngineEvent,
  {
    type:
      | 'cancellation_requested'
      | 'pause_requested'
      | 'resume_requested'
      | 'retry_requested'
      | 'signal_received'
      | 'agent_answered';
  }
>;

/** Where signs of life are kept. */
export interface Heartbeats {
  /** Under the run's lock. @returns whether the attempt is still open and has been asked of an agent. */
  beat(runId: string, stepExecutionId: string): Promise<boolean>;
}

/** What is asked of runs from outside. Decided and committed, with its audit record, when it resolves. */
export interface ChangeRun {
  /** @param version another one of the same workflow, which a retry goes on with */
  change(
    runId: string,
    change: RequestedChange,
    audit: AuditEntry,
    version?: VersionChange,
  ): Promise<RunChanged>;
  /** In batches; each run for itself, and with a record of its own. In the order of the ids. */
  changeAll(
    runIds: readonly string[],
    change: RequestedChange,
    audit: AuditEntry,
  ): Promise<readonly RunChanged[]>;
  /** @returns whether the attempt is still open: false tells the agent to stop. */
  heartbeat(runId: string, stepExecutionId: string): Promise<boolean>;
}

export function createChangeRun(processBatch: ProcessBatch, heartbeats: Heartbeats): ChangeRun {
  return {
    async change(runId, event, audit, version) {
      const [outcome] = (await processBatch([{ runId, event, audit, ...(version && { version }) }])) as [
        Outcome,
      ];
      return changeOf(outcome);
    },
    async changeAll(runIds, event, audit) {
      const changes: RunChanged[] = [];
      for (let start = 0; start < runIds.length; start += RUNS_AT_ONCE) {
        const batch = runIds.slice(start, start + RUNS_AT_ONCE);
        changes.push(...(await processBatch(batch.map((runId) => ({ runId, event, audit })))).map(changeOf));
      }
      return changes;
    },
    heartbeat: (runId, stepExecutionId) => heartbeats.beat(runId, stepExecutionId),
  };
}

/** Saved together: one that goes on meanwhile has the others decided again. */
const RUNS_AT_ONCE = 100;

function changeOf(outcome: Outcome): RunChanged {
  return outcome.outcome === 'decided'
    ? { ok: true, status: outcome.status }
    : { ok: false, refusal: outcome };
}
