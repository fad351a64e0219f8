import type { Statements } from '../../shared/persistence/database.ts';

/** A run as the sources' columns show it. Times as text, in UTC and to the microsecond. */
export interface RunRecord {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly status: string;
  readonly error_message: string | null;
  readonly has_started: boolean;
  readonly created_at: string;
  readonly completed_at: string | null;
}

export interface StepRecord {
  readonly step_id: string;
  readonly agent_name: string;
  readonly status: string;
  readonly input_data: unknown;
  readonly output_data: unknown;
}

export function maybeFindRunRecord(database: Statements, runId: string): Promise<RunRecord | null> {
  return database.maybeOne<RunRecord>(
    `select run_id, workflow_id, status, error_message, started_at is not null as has_started,
            ${timeText('created_at')} as created_at, ${timeText('completed_at')} as completed_at
       from workflow_runs where run_id = $1`,
    [runId],
  );
}

export function findStepRecords(database: Statements, runId: string): Promise<StepRecord[]> {
  return database.many<StepRecord>(
    `select step_id, agent_name, status, input_data, output_data
       from step_executions where run_id = $1 order by started_at, id`,
    [runId],
  );
}

/**
 * Removes a run, and its workflow where it has no other version: the next check then finds the database as this one did.
 * @returns whether the workflow was removed too.
 */
export async function removeRunRecords(
  database: Statements,
  { runId, workflowId }: { readonly runId: string; readonly workflowId: string },
): Promise<boolean> {
  const removed = await database.execute(
    `with steps as (delete from step_executions where run_id = $1),
          runs as (delete from workflow_runs where run_id = $1),
          versions as (
            delete from workflow_versions v using workflows w
             where v.workflow_id = $2 and w.id = v.workflow_id and w.latest_version = 1
          )
     delete from workflows where id = $2 and latest_version = 1`,
    [runId, workflowId],
  );
  return removed === 1;
}

function timeText(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;
}
