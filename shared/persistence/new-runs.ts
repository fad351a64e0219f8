import type { NewRuns } from '../application/start-run.ts';
import type { Database } from './database.ts';

export function createNewRuns(database: Database): NewRuns {
  return {
    /** One statement, so one round trip and one commit for both rows. */
    async insert(run) {
      await database.execute(
        `with run as (
           insert into workflow_runs (id, run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version,
                  status, owner, triggered_by, input_data, variables, community_id, metadata, created_at, updated_at, wake_at)
           values ($1, $2, $3, $4, $5, $6, $7, 'PENDING', $8, $9, $10, $11, $12, $13, $14, $14, $15)
         )
         insert into outbox (id, messages) values ($16, $17)`,
        [
          run.id,
          run.runId,
          run.workflowId,
          run.workflowName,
          run.workflowDefinitionId,
          run.versionId,
          run.version,
          run.owner,
          run.triggeredBy,
          json(run.inputData),
          json(run.variables),
          run.communityId,
          json(run.metadata),
          run.createdAt,
          run.wakeAt,
          run.request.id,
          JSON.stringify(run.request.messages),
        ],
      );
    },
    async notePublishFailure(runId, message) {
      await database.execute(
        "update workflow_runs set error_message = $2, updated_at = now() where run_id = $1 and status = 'PENDING'",
        [runId, message],
      );
    },
  };
}

// A column without a value is null; the JSON value null is null too.
function json(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}
