import type { LockedRun } from '../application/ports.ts';
import type { Pauser, Run, RunStatus } from '../engine/state.ts';
import type { Statements } from './database.ts';

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
}

/**
 * In the order of their ids; those that do not exist are absent (functions/lock_runs_with_pauses.sql).
 * @param woken those of them that are looked at for themselves
 */
export async function lockRuns(
  statements: Statements,
  runIds: readonly string[],
  woken: readonly string[] = [],
): Promise<LockedRun[]> {
  const rows = await statements.many<RunRow>('select * from lock_runs_with_pauses($1, $2)', [runIds, woken]);
  return rows.map((row) => ({
    run: runOf(row),
    owner: row.owner,
    workflowId: row.workflow_id,
    versionId: row.workflow_version_id,
  }));
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
