import type { RunDetails, RunSummary } from '../../../shared/persistence/run-queries.ts';

const OUR_RUN_ID = /^run-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

/** A run on the runs face, without its data. Statuses are UPPERCASE here. */
export function presentRunSummary(run: RunSummary) {
  return {
    run_id: run.run_id,
    execution_id: executionIdOf(run),
    workflow_id: run.workflow_id,
    workflow_name: run.workflow_name,
    workflow_definition_id: run.workflow_definition_id,
    version: run.version,
    status: run.status,
    error_message: run.error_message,
    error_code: run.error_code,
    error_step_id: run.error_step_id,
    error_attempt: run.error_attempt,
    triggered_by: run.triggered_by,
    community_id: run.community_id,
    sequence: run.sequence,
    created_at: run.created_at.toISOString(),
    // A PENDING run counts from its creation on every face (design §5).
    started_at: isoOf(run.started_at ?? run.created_at),
    updated_at: isoOf(run.updated_at),
    completed_at: isoOf(run.completed_at),
    cancelled_at: isoOf(run.cancelled_at),
    cancelled_by: run.cancelled_by,
    cancel_reason: run.cancel_reason,
  };
}

export function presentRun(run: RunDetails) {
  const { input_data, output_data, variables, metadata } = run;
  return { ...presentRunSummary(run), input_data, output_data, variables, metadata };
}

/** Another producer's run has any text for a run_id; its row's id is as unique. */
export function executionIdOf({ run_id, id }: Pick<RunSummary, 'run_id' | 'id'>): string {
  return OUR_RUN_ID.exec(run_id)?.[1] ?? id;
}

export function isoOf(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
