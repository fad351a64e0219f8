import { createHash } from 'node:crypto';
import { GroundsChangedError } from '../application/grounds.ts';
import type { NewRun, NewRuns } from '../application/start-run.ts';
import { auditRow } from './audit-log.ts';
import type { Database, Statements } from './database.ts';
import type { PublishedEntries } from './published-entries.ts';

interface OutcomeRow {
  outcome: 'started' | 'repeated' | 'grounds_changed';
  request_hash: Buffer;
  id: string;
  run_id: string;
  created_at: Date;
}

/** @param published entries of the outbox that go with the next run */
export function createNewRuns(database: Database, published: PublishedEntries): NewRuns {
  return {
    /** One call of functions/start_run.sql, so one round trip and one commit for all rows. */
    async insert(run) {
      const { outcome, ...earlier } = await published.goWith(async (ids) => {
        const row = await insertRun(database, run, ids);
        if (row.outcome !== 'started') await published.add(ids);
        return row;
      });
      if (outcome === 'started') return null;
      if (outcome === 'grounds_changed')
        throw new GroundsChangedError('What was known of the caller has changed');
      return {
        runId: earlier.run_id,
        executionId: earlier.id,
        createdAt: earlier.created_at,
        isSameRequest: earlier.request_hash.equals(hashOf(run.idempotency!.request)),
      };
    },
    async notePublishFailure(runId, message) {
      await database.execute(
        "update workflow_runs set error_message = $2, updated_at = now() where run_id = $1 and status = 'PENDING'",
        [runId, message],
      );
    },
  };
}

/** @param published entries of the outbox that go, where the run is inserted */
export function insertRun(
  database: Statements,
  run: NewRun,
  published: readonly string[],
): Promise<OutcomeRow> {
  const { request, audit, grounds } = run;
  return database.one<OutcomeRow>(
    'select * from start_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
    [
      JSON.stringify(rowOf(run)),
      JSON.stringify(request.messages),
      request.id,
      published,
      claimOf(run),
      audit ? JSON.stringify(auditRow({ ...audit, result: 'SUCCESS', resource: run.runId })) : null,
      grounds?.apiKey?.id,
      grounds?.apiKey?.version,
      grounds?.workflow.id,
      grounds?.workflow.version,
      grounds?.grant?.id,
      grounds?.grant?.version,
    ],
  );
}

function rowOf(run: NewRun) {
  return {
    id: run.id,
    run_id: run.runId,
    workflow_id: run.workflowId,
    workflow_name: run.workflowName,
    workflow_definition_id: run.workflowDefinitionId,
    workflow_version_id: run.versionId,
    version: run.version,
    owner: run.owner,
    triggered_by: run.triggeredBy,
    community_id: run.communityId,
    input_data: run.inputData,
    variables: run.variables,
    metadata: run.metadata,
    created_at: run.createdAt,
    wake_at: run.wakeAt,
  };
}

function claimOf({ idempotency, runId }: NewRun): string | null {
  if (idempotency === undefined) return null;
  const { userId, key, request } = idempotency;
  return JSON.stringify({
    user_id: userId,
    key,
    request_hash: hashOf(request).toString('hex'),
    run_id: runId,
  });
}

/** A request may be large: its hash is kept. */
function hashOf(request: string): Buffer {
  return createHash('sha256').update(request).digest();
}
