import { createHash } from 'node:crypto';
import type { EarlierRun, IdempotencyClaim, NewRun, NewRuns } from '../application/start-run.ts';
import { auditPart } from './audit-log.ts';
import type { Database } from './database.ts';
import type { PublishedEntries } from './published-entries.ts';
import { jsonParameter, Parameters } from './sql.ts';

/** @param published entries of the outbox that go with the next run */
export function createNewRuns(database: Database, published: PublishedEntries): NewRuns {
  return {
    /**
     * One statement, so one round trip and one commit for all rows. A claim that another transaction is about to commit is waited
     * for; only a claim that failed costs a second statement, which then sees what won.
     */
    async insert(run) {
      const { idempotency } = run;
      if (idempotency === undefined) {
        await published.goWith((ids) => insertRun(database, run, ids));
        return null;
      }
      for (;;) {
        if (await claimAndInsertRun(database, run, idempotency)) return null;
        const earlier = await maybeFindEarlier(database, idempotency);
        // A key that came to the end of its time between the two statements is free again.
        if (earlier) return earlier;
      }
    },
    async notePublishFailure(runId, message) {
      await database.execute(
        "update workflow_runs set error_message = $2, updated_at = now() where run_id = $1 and status = 'PENDING'",
        [runId, message],
      );
    },
  };
}

async function insertRun(database: Database, run: NewRun, published: readonly string[]): Promise<void> {
  const parameters = new Parameters();
  await database.execute(
    `with run as (
       insert into workflow_runs (${RUN_COLUMNS}) values (${runValues(run, parameters)}) returning run_id
     ) ${auditOf(run, parameters)}${removed(published, parameters)}
     insert into outbox (id, messages) values (${outboxValues(run, parameters)})`,
    parameters.values,
  );
}

/** @returns whether the key was free */
async function claimAndInsertRun(
  database: Database,
  run: NewRun,
  { userId, key, request }: IdempotencyClaim,
): Promise<boolean> {
  const parameters = new Parameters();
  const claim = [userId, key, hashOf(request), run.runId].map((value) => parameters.add(value)).join(', ');
  const claimed = await database.maybeOne(
    `with claimed as (
       insert into idempotency_keys (user_id, key, request_hash, run_id) values (${claim})
       on conflict (user_id, key) do nothing
       returning run_id
     ), run as (
       insert into workflow_runs (${RUN_COLUMNS}) select ${runValues(run, parameters)} from claimed returning run_id
     ) ${auditOf(run, parameters)}, message as (
       insert into outbox (id, messages) select ${outboxValues(run, parameters)} from claimed
     )
     select run_id from claimed`,
    parameters.values,
  );
  return claimed !== null;
}

/** The answer that was given; also where the run itself was removed since. */
async function maybeFindEarlier(
  database: Database,
  { userId, key, request }: IdempotencyClaim,
): Promise<EarlierRun | null> {
  const row = await database.maybeOne<{
    request_hash: Buffer;
    id: string;
    run_id: string;
    created_at: Date;
  }>(
    `select k.request_hash, k.run_id, coalesce(r.id::text, substr(k.run_id, length('run-') + 1)) as id,
            coalesce(r.created_at, k.created_at) as created_at
     from idempotency_keys k left join workflow_runs r on r.run_id = k.run_id
     where k.user_id = $1 and k.key = $2`,
    [userId, key],
  );
  return (
    row && {
      runId: row.run_id,
      executionId: row.id,
      createdAt: row.created_at,
      isSameRequest: row.request_hash.equals(hashOf(request)),
    }
  );
}

/** A request may be large: its hash is kept. */
function hashOf(request: string): Buffer {
  return createHash('sha256').update(request).digest();
}

const RUN_COLUMNS = `id, run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, status, owner,
  triggered_by, input_data, variables, community_id, metadata, created_at, updated_at, wake_at, paused_at, held_by`;

function runValues(run: NewRun, parameters: Parameters): string {
  const values = [
    run.id,
    run.runId,
    run.workflowId,
    run.workflowName,
    run.workflowDefinitionId,
    run.versionId,
    run.version,
    'PENDING',
    run.owner,
    run.triggeredBy,
    jsonParameter(run.inputData),
    jsonParameter(run.variables),
    run.communityId,
    jsonParameter(run.metadata),
    run.createdAt,
    run.createdAt,
    run.wakeAt,
  ];
  const given = values.map((value) => parameters.add(value));
  const workflowId = parameters.add(run.workflowDefinitionId);
  // Not for certain: the workflow may be paused or resumed in this very moment. The run's beginning is.
  const ifPaused = (value: string) =>
    `(select ${value} from workflows where id = ${workflowId} and paused_at is not null)`;
  const pausedAt = ifPaused(`${parameters.add(run.createdAt)}::timestamptz`);
  return [...given, pausedAt, ifPaused("'workflow'")].join(', ');
}

/** A further part of the `with`, or nothing. */
function auditOf({ audit }: NewRun, parameters: Parameters): string {
  return audit === undefined ? '' : `, ${auditPart(audit, 'run', 'run_id', parameters)}`;
}

/** A further part of the `with`, or nothing. */
function removed(published: readonly string[], parameters: Parameters): string {
  return published.length === 0
    ? ''
    : `, removed as (delete from outbox where id = any(${parameters.add(published)}::uuid[]))`;
}

function outboxValues({ request: { id, messages } }: NewRun, parameters: Parameters): string {
  return [id, JSON.stringify(messages)].map((value) => parameters.add(value)).join(', ');
}
