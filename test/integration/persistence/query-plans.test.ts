import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { fireDueTimes } from '../../../functions/timekeeper/fire-due-times.ts';
import { Pace } from '../../../functions/timekeeper/pace.ts';
import { publishLeftBehind } from '../../../functions/timekeeper/publish-left-behind.ts';
import type { BatchItem } from '../../../shared/application/batch.ts';
import type { Delivery } from '../../../shared/application/ports/publishing.ts';
import type { AgentOutcome } from '../../../shared/engine/event.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { createDueTimes } from '../../../shared/persistence/due-times.ts';
import { createNewRuns } from '../../../shared/persistence/new-runs.ts';
import { publishedEntries } from '../../../shared/persistence/outbox.ts';
import { createRunBatches } from '../../../shared/persistence/run-batches.ts';
import { createRunStore } from '../../../shared/persistence/run-store.ts';
import { createWorkflows } from '../../../shared/persistence/workflows.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { type EngineHarness, openEngineHarness, sequence, topics } from '../../support/engine-harness.ts';
import type { RecordedStatement } from '../../support/recording-database.ts';
import { readsDuring } from '../../support/table-reads.ts';

/*
 * On analysed tables of 100,000 rows none of the engine's statements reads a table from end to end. The statements are those
 * that a batch really sent, with the values that it sent; each is explained as Postgres would run it, and what their functions
 * read is seen by its counters.
 */

const ROWS = 100_000;
const FILL_TIMEOUT_MS = 600_000;
/** The rows that fill the tables are of no month: the months have those of the tests, and whole ones are read where they have few. */
const LARGE = new Set([
  'workflows',
  'workflow_versions',
  'workflow_runs_default',
  'step_executions_default',
  'outbox',
  'agents',
]);
let engine: EngineHarness;

beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
  const { database } = engine;
  await database.execute(
    `insert into workflows (id, owner, name, latest_version)
     select gen_random_uuid(), 'user' || n % 50, 'w' || n, 1 from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into workflow_versions (id, workflow_id, version, definition, content_hash)
     select gen_random_uuid(), id, 1, '{}', decode(md5(id::text), 'hex') from workflows`,
  );
  await database.execute(
    `insert into workflow_versions (id, version, definition, content_hash)
     select gen_random_uuid(), 1, '{}', decode(md5(n::text), 'hex') from generate_series(1, ${ROWS}) n`,
  );
  // Most runs are over; a tenth is open, a hundredth is due.
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner, input_data, wake_at, sequence)
     select 'run-' || gen_random_uuid(), 'wf-a-1', 'a', case when n % 10 = 0 then 'RUNNING' else 'COMPLETED' end, 'user' || n % 50,
            jsonb_build_object('text', repeat('x', 200)),
            case when n % 100 = 0 then now() - interval '1 hour' when n % 10 = 0 then now() + interval '1 hour' end, 7
     from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status, input_data, output_data, wake_at)
     select id, id::text, run_id, 'a', 'a', 'agent', status, jsonb_build_object('text', repeat('x', 200)),
            jsonb_build_object('text', repeat('y', 200)), wake_at
     from (select gen_random_uuid() as id, run_id, status, wake_at from workflow_runs) as runs`,
  );
  await database.execute(
    `insert into outbox (id, messages, created_at)
     select gen_random_uuid(), '[]', now() - interval '1 minute' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute(
    `insert into agents (id, owner, name, kind, address)
     select gen_random_uuid(), case when n % 2 = 0 then 'user' || n % 50 end, 'agent' || n, 'http', '' from generate_series(1, ${ROWS}) n`,
  );
  await database.execute('analyze');
}, FILL_TIMEOUT_MS);
afterAll(() => engine?.close());

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Plans?: readonly PlanNode[];
}

function scansOf(node: PlanNode): string[] {
  const { 'Node Type': type, 'Relation Name': name = '' } = node;
  const own = type === 'Seq Scan' && LARGE.has(name) ? [`Seq Scan on ${name}`] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)];
}

/** Whole tables that the recorded statements would read, with the statement. EXPLAIN does not look into functions. */
async function sequentialScansOf(recorded: readonly RecordedStatement[]): Promise<string[]> {
  const found: string[] = [];
  for (const { sql, values } of recorded) {
    if (sql === 'begin' || sql === 'commit') continue;
    const row = await engine.database.one<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (format json) ${sql}`,
      values,
    );
    const scans = scansOf(row['QUERY PLAN'][0].Plan);
    if (scans.length > 0) found.push(`${scans.join(', ')}: ${sql.trim()}`);
  }
  return found;
}

interface Recorded {
  readonly statements: RecordedStatement[];
  /** Of those that are large, what was read from end to end, by functions and triggers too. */
  readonly wholeTables: string[];
}

async function recordedBy(work: () => Promise<unknown>): Promise<Recorded> {
  let statements: RecordedStatement[] = [];
  const { wholeTables } = await readsDuring(engine.database, async () => {
    engine.database.forget();
    await work();
    statements = [...engine.database.recorded];
  });
  return { statements, wholeTables: wholeTables.filter((table) => LARGE.has(table)) };
}

async function expectNoWholeTables({ statements, wholeTables }: Recorded): Promise<void> {
  expect(await sequentialScansOf(statements)).toEqual([]);
  expect(wholeTables).toEqual([]);
}

async function openAttempts(runIds: readonly string[]) {
  return engine.database.many<{ run_id: string; id: string }>(
    `select run_id, step_execution_id as id from step_executions where run_id = any($1) and status in ('PENDING', 'RUNNING')`,
    [runIds],
  );
}

async function answers(runIds: readonly string[], outcome: AgentOutcome): Promise<BatchItem[]> {
  return (await openAttempts(runIds)).map(({ run_id: runId, id }) => ({
    runId,
    event: { type: 'agent_answered', stepExecutionId: id, attempt: null, logs: null, outcome },
  }));
}

describe.each([1, 10, 100, 500])('no statement of a batch of %i reads a whole table', (size) => {
  it('from start to end, with failures, retries, wakes and cancellations', async () => {
    const { workflowId } = await engine.registerWorkflow(
      sequence(['a', 'b', 'c'], { retry: { initial_interval_ms: 0 } }),
    );
    const runIds: string[] = [];
    const recorded: Recorded = { statements: [], wholeTables: [] };
    const record = async (work: () => Promise<unknown>) => {
      const { statements, wholeTables } = await recordedBy(work);
      recorded.statements.push(...statements);
      recorded.wholeTables.push(...wholeTables);
    };
    const decide = async (items: readonly BatchItem[]) => {
      await record(async () => {
        const outcomes = await engine.processBatch(items);
        expect(outcomes.map(({ outcome }) => outcome)).toEqual(items.map(() => 'decided'));
      });
    };
    const all = (event: BatchItem['event']) => runIds.map((runId) => ({ runId, event }));

    for (let i = 0; i < size; i++) await record(async () => void runIds.push(await engine.start(workflowId)));
    recorded.statements.splice(10);
    await decide(all({ type: 'execution_requested' }));
    await decide(await answers(runIds, { status: 'completed', output: { rows: 3 } }));
    await decide(
      await answers(runIds, { status: 'failed', error: { code: 'X', message: 'x', retryable: true } }),
    );
    const due = await openAttempts(runIds);
    const at = Date.now() + 60_000;
    await decide(
      due.map(({ run_id: runId, id }) => ({ runId, event: { type: 'woken', stepExecutionId: id, at } })),
    );
    await decide(await answers(runIds, { status: 'completed', output: 1 }));
    await decide(all({ type: 'cancellation_requested', by: null, reason: null }));
    await decide(all({ type: 'retry_requested' }));
    const requested = await openAttempts(runIds);
    await decide(
      requested.map(({ run_id: runId, id }) => ({
        runId,
        event: { type: 'step_requested', stepExecutionId: id },
      })),
    );
    await decide(await answers(runIds, { status: 'completed', output: 1 }));

    const theirs = await engine.database.many<{ run_id: string }>(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status)
       select 'run-' || gen_random_uuid(), 'w', 'w', 'PENDING' from generate_series(1, $1) returning run_id`,
      [size],
    );
    await decide(
      theirs.map(({ run_id: runId }, i) => ({
        runId,
        event: { type: 'execution_requested' },
        inlinePlan: {
          name: `theirs-${size}-${i}`,
          start_step: 'a',
          steps: { a: { agent_name: 'x' } },
        },
      })),
    );

    await expectNoWholeTables(recorded);
  });

  it('of a bridge', async () => {
    const attempts = await engine.database.many<{ run_id: string; id: string }>(
      `select run_id, step_execution_id as id from step_executions where status = 'RUNNING' limit $1`,
      [size],
    );
    const calls = createAgentCalls(engine.database);
    const recorded = await recordedBy(async () => {
      await calls.loadCalls(attempts.map(({ id }) => id));
      await calls.extendDeadlines(
        attempts.map(({ run_id, id }) => ({
          stepExecutionId: id,
          runId: run_id,
          deadlineInMs: 3_600_000,
          accepted: true,
        })),
      );
    });
    await expectNoWholeTables(recorded);
  });
});

describe('no statement reads a whole table', () => {
  const answering = (delivery: Delivery) => ({
    publish: async () => {},
    send: async (records: readonly unknown[]) => ({ deliveries: records.map(() => delivery), late: null }),
  });
  const producer = answering({ status: 'acknowledged' });

  it('(and one that does is seen)', async () => {
    const recorded = await recordedBy(() =>
      engine.database.many('select 1 from outbox where created_at = now()'),
    );
    expect(await sequentialScansOf(recorded.statements)).toEqual([
      'Seq Scan on outbox: select 1 from outbox where created_at = now()',
    ]);
    expect(recorded.wholeTables).toEqual(['outbox']);
  });

  it('(and one that does within a function is seen)', async () => {
    await engine.database.execute(
      `create function reads_the_outbox() returns bigint language plpgsql
       as $$ begin return (select count(*) from outbox where created_at = now()); end $$`,
    );
    const recorded = await recordedBy(() => engine.database.many('select reads_the_outbox()'));
    expect(await sequentialScansOf(recorded.statements)).toEqual([]);
    expect(recorded.wholeTables).toEqual(['outbox']);
  });

  it('of a pause of a workflow, of a sign of life, of a retry on another version', async () => {
    const { database } = engine;
    const [run] = await database.many<{ run_id: string; id: string }>(
      `select run_id, step_execution_id as id from step_executions where status = 'RUNNING' limit 1`,
    );
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const ann = { userId: 'ann', isAdmin: false, communities: [] };
    const recorded = await recordedBy(async () => {
      await createWorkflows(database).setPaused(ann, workflowId, true, auditEntry);
      const { findOpenRunsOf } = createRunBatches(database);
      await findOpenRunsOf(workflowId, { isHeld: false, after: randomUUID(), limit: 500 });
      await createAgentCalls(database).beat(run!.run_id, run!.id);
      await createRunStore(database, publishedEntries(database)).loadCompletedSteps([run!.run_id]);
    });
    expect(await sequentialScansOf(recorded.statements)).toEqual([]);
    expect(recorded.wholeTables).toEqual([]);
  });

  it('of the timekeeper: what is due, what was left behind', async () => {
    const { database } = engine;
    const deps = {
      database,
      dueTimes: createDueTimes(database),
      producer,
      routeTasks: engine.routeTasks,
      topics,
      readProgress: async () => null,
      pace: new Pace(),
      clock: Date.now,
    };
    const away = () => Promise.reject(new Error('Kafka did not answer'));
    const unsent = { status: 'unsent', reason: 'Kafka was not reached' } as const;
    const refused = { status: 'refused', reason: 'Kafka refused: X', code: 'X', isLasting: true } as const;
    const giving = { ...deps, producer: { ...answering(unsent), publish: away } };
    await expectNoWholeTables(await recordedBy(() => fireDueTimes(giving).catch(() => 0)));
    await expectNoWholeTables(await recordedBy(() => fireDueTimes(deps)));
    await database.execute(
      `update outbox set created_at = now() where id not in (select id from outbox limit 120)`,
    );
    await expectNoWholeTables(await recordedBy(() => publishLeftBehind(giving).catch(() => 0)));
    const refusing = { ...deps, producer: answering(refused) };
    await expectNoWholeTables(await recordedBy(() => publishLeftBehind(refusing).catch(() => 0)));
    await database.execute('update outbox set retry_at = null');
    await expectNoWholeTables(await recordedBy(() => publishLeftBehind(deps)));
  });

  it('of the API beside a start: the note that publishing failed', async () => {
    const recorded = await recordedBy(() =>
      createNewRuns(engine.database, engine.published).notePublishFailure(`run-${randomUUID()}`, 'not yet'),
    );
    await expectNoWholeTables(recorded);
  });
});
