import type { LoadedRun, RunQuery, RunsRead } from '../application/ports/run-store.ts';
import type { Json } from '../engine/json.ts';
import type { Attempt, Pauser, Run, RunStatus } from '../engine/state.ts';
import { attemptOf } from './columns.ts';
import type { Statements } from './database.ts';
import { type AttemptRow, attemptParameters } from './load-attempts.ts';
import { rangeOf } from './run-range.ts';

interface RunRow {
  run_id: string;
  status: RunStatus;
  sequence: number;
  started_at: Date | null;
  completed_at: Date | null;
  error_code: string | null;
  error_message: string | null;
  error_step_id: string | null;
  error_attempt: number | null;
  cancelled_at: Date | null;
  cancelled_by: string | null;
  cancel_reason: string | null;
  retried_at: Date | null;
  paused_at: Date | null;
  held_by: Pauser | 'both' | null;
  is_workflow_paused: boolean | null;
  steps_started: number;
  timeout_at: Date | null;
  revisits: boolean;
  parent_run_id: string | null;
  parent_step_execution_id: string | null;
  depth: number;
  wake_at: Date | null;
  owner: string | null;
  workflow_id: string;
  workflow_version_id: string | null;
  input_data: Json;
}

type Row = (RunRow & { readonly step_execution_id: null }) | AttemptRow;

/** Runs and attempts as they are at one moment (functions/load_runs.sql); runs that do not exist are absent. */
export async function loadRuns(
  statements: Statements,
  { runIds, woken, attempts }: RunQuery,
): Promise<RunsRead> {
  const rows = await statements.many<Row>('select * from load_runs($1, $2, $3, $4, $5, $6, $7)', [
    ...rangeOf(runIds),
    runIds,
    woken,
    ...attemptParameters(attempts),
  ]);
  const runs: LoadedRun[] = [];
  const found = new Map<string, Attempt[]>();
  for (const row of rows) {
    if (row.step_execution_id === null) {
      runs.push({
        run: runOf(row),
        owner: row.owner,
        workflowId: row.workflow_id,
        versionId: row.workflow_version_id,
        ...((row.status === 'PENDING' || row.input_data !== null) && { workflowInput: row.input_data }),
      });
      continue;
    }
    const ofRun = found.get(row.run_id);
    if (ofRun === undefined) found.set(row.run_id, [attemptOf(row)]);
    else ofRun.push(attemptOf(row));
  }
  return { runs, attempts: found };
}

/** For as long as the transaction lasts, in the order of their ids: two that have runs in common wait for each other. */
export async function lockRuns(statements: Statements, runIds: readonly string[]): Promise<void> {
  await statements.execute('select from workflow_runs where run_id = any($1) order by run_id for update', [
    runIds,
  ]);
}

function runOf(row: RunRow): Run {
  return {
    runId: row.run_id,
    status: row.status,
    sequence: row.sequence,
    startedAt: row.started_at?.getTime() ?? null,
    completedAt: row.completed_at?.getTime() ?? null,
    // Never read back by a decision: what it is set to, is written.
    outputData: null,
    error:
      row.error_code === null
        ? null
        : {
            code: row.error_code,
            message: row.error_message ?? '',
            stepId: row.error_step_id,
            attempt: row.error_attempt,
          },
    cancellation:
      row.cancelled_at === null
        ? null
        : { by: row.cancelled_by, reason: row.cancel_reason, at: row.cancelled_at.getTime() },
    retriedAt: row.retried_at?.getTime() ?? null,
    pausedAt: row.paused_at?.getTime() ?? null,
    heldBy: row.held_by,
    isWorkflowPaused: row.is_workflow_paused,
    stepsStarted: row.steps_started,
    timeoutAt: row.timeout_at?.getTime() ?? null,
    revisits: row.revisits,
    parent:
      row.parent_run_id === null || row.parent_step_execution_id === null
        ? null
        : { runId: row.parent_run_id, stepExecutionId: row.parent_step_execution_id },
    depth: row.depth,
    wakeAt: row.wake_at?.getTime() ?? null,
  };
}
