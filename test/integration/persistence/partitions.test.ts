import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { removeRuns } from '../../../functions/timekeeper/remove-runs.ts';
import { NO_ATTEMPTS } from '../../../shared/application/attempt-query.ts';
import { NO_NEEDS } from '../../../shared/engine/needs.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { type Database, openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { ensureDatabaseRoles } from '../../../shared/persistence/database-roles.ts';
import { createExecutionQueries } from '../../../shared/persistence/execution-queries.ts';
import { loadRunData } from '../../../shared/persistence/load-run-data.ts';
import { loadRuns } from '../../../shared/persistence/load-runs.ts';
import { makePartitions, purgeAuditLog, removeOldRuns } from '../../../shared/persistence/purge.ts';
import { createRunQueries } from '../../../shared/persistence/run-queries.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import { attempt } from '../../support/engine-states.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';
import { tablesReadDuring } from '../../support/table-reads.ts';

/* Months of runs and of audit records: what goes where, what is looked into, and what is dropped when. */

const TABLES = [
  'workflow_runs',
  'step_executions',
  'scopes',
  'scope_children',
  'scope_data',
  'scope_history',
  'signals',
];
const DAY_MS = 86_400_000;
const KEEP = { keepDays: 30, atMost: 100, limitMs: 10_000 };
const admin = { userId: 'root', isAdmin: true, communities: [] };
const ann = { userId: 'ann', isAdmin: false, communities: [7] };
const workflowId = randomUUID();

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url });
  await ensureDatabaseRoles(fresh.url);
});
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});

const monthOf = (daysAgo: number) => {
  const day = new Date(Date.now() - daysAgo * DAY_MS);
  return `${day.getUTCFullYear()}_${String(day.getUTCMonth() + 1).padStart(2, '0')}`;
};
const idOf = (daysAgo: number) => `run-${uuidv7({ msecs: Date.now() - daysAgo * DAY_MS })}`;
const partitionOf = async (table: string, runId: string) =>
  (
    await database.one<{ partition: string }>(
      `select tableoid::regclass::text as partition from ${table} where run_id = $1 limit 1`,
      [runId],
    )
  ).partition;

interface Given {
  readonly status?: string;
  readonly closedDaysAgo?: number;
}

/** With a row of each table. Closed half a day after its start, unless said otherwise. */
async function addRun(daysAgo: number, given: Given = {}, runId = idOf(daysAgo)): Promise<string> {
  const { status = 'COMPLETED', closedDaysAgo = daysAgo - 0.5 } = given;
  const isOpen = status === 'RUNNING';
  const closedAt = isOpen ? null : new Date(Date.now() - closedDaysAgo * DAY_MS);
  await database.execute(
    `insert into workflow_runs (id, run_id, workflow_id, workflow_name, workflow_definition_id, community_id, owner, status,
                                created_at, updated_at, completed_at)
     values ($1, $2, 'wf-a-1', 'a', $3, 7, 'ann', $4, now() - $5 * interval '1 day', now() - $5 * interval '1 day', $6)`,
    [runId.length === 40 ? runId.slice(4) : randomUUID(), runId, workflowId, status, daysAgo, closedAt],
  );
  await database.execute(
    `with steps as (
       insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status)
       select id, id::text, $1, 'a', 'a', 'a', $2 from gen_random_uuid() as id
     ), joins as (
       insert into scopes (run_id, path, step_id, step_execution_id, total, needed, tolerated, started, completed, failed, output_bytes, is_over)
       values ($1, 'm#1', 'm', 'x', 1, 1, 0, 1, 0, 0, 0, false)
     ), children as (
       insert into scope_children (run_id, path, child, index, status) values ($1, 'm#1', '0', 0, 'COMPLETED')
     ), data as (
       insert into scope_data (run_id, scope, variables) values ($1, '', '{}')
     ), history as (
       insert into scope_history (run_id, scope, since, variables) values ($1, '', now(), '{}')
     )
     insert into signals (run_id, id, name, received_at) values ($1, 's', 's', now())`,
    [runId, status],
  );
  return runId;
}

/** A month as it would be if it had been made in its time. */
async function makeMonth(daysAgo: number): Promise<void> {
  for (const table of [...TABLES, 'audit_log'])
    await database.many(
      `select make_partition($1, date_trunc('month', now() - $2 * interval '1 day', 'UTC'))`,
      [table, daysAgo],
    );
}

const isThere = async (table: string) =>
  (await database.one<{ is: boolean }>('select to_regclass($1) is not null as is', [table])).is;
const rowsOf = async (runId: string) => {
  const counts = TABLES.map((table) => `(select count(*) from ${table} where run_id = $1)`);
  return (await database.one<{ rows: number }>(`select ${counts.join(' + ')} as rows`, [runId])).rows;
};
const counted = async () => {
  const { counts, rows } = await database.one<{ counts: number; rows: number }>(
    `select (select coalesce(sum(runs), 0) from run_counts)::bigint as counts, (select count(*) from workflow_runs) as rows`,
  );
  expect(counts).toBe(rows);
  return rows;
};
async function removeAll(): Promise<void> {
  await removeRuns({ database, runRetentionDays: KEEP.keepDays, clock: () => 0 }, KEEP.limitMs);
}

describe('a row', () => {
  it('of ours goes to the month in its run’s id, that of another producer and of a month that is not there to the default', async () => {
    const ours = await addRun(0);
    const theirs = await addRun(0, {}, 'order-4711');
    const old = await addRun(4_000);
    for (const table of TABLES) {
      expect(await partitionOf(table, ours)).toBe(`${table}_${monthOf(0)}`);
      expect(await partitionOf(table, theirs)).toBe(`${table}_default`);
      expect(await partitionOf(table, old)).toBe(`${table}_default`);
    }
  });

  it('of the first and the last millisecond of a month is in that month', async () => {
    const now = new Date();
    const begins = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
    const ends = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
    const partitions = [];
    for (const msecs of [begins, ends - 1, ends]) {
      const runId = await addRun(0, {}, `run-${uuidv7({ msecs })}`);
      partitions.push(await partitionOf('workflow_runs', runId));
    }
    const next = new Date(ends);
    const nextMonth = `${next.getUTCFullYear()}_${String(next.getUTCMonth() + 1).padStart(2, '0')}`;
    expect(partitions).toEqual([
      `workflow_runs_${monthOf(0)}`,
      `workflow_runs_${monthOf(0)}`,
      `workflow_runs_${nextMonth}`,
    ]);
  });

  it('has one key, and is found without its run too', async () => {
    const runId = await addRun(0);
    await expect(addRun(0, {}, runId)).rejects.toMatchObject({ code: 'UNIQUE_VIOLATION' });
    const { id } = await database.one<{ id: string }>(
      'select step_execution_id as id from step_executions where run_id = $1',
      [runId],
    );
    expect(await createRunQueries(database).maybeFindAttempt(id)).toMatchObject({ runId });
    const executions = createExecutionQueries(database);
    expect(await executions.maybeFindExecutionRun(ann, runId.slice(4), 'own')).toMatchObject({ runId });
    const other = await addRun(0, {}, 'order-4712');
    const { id: theirs } = await database.one<{ id: string }>(
      'select id from workflow_runs where run_id = $1',
      [other],
    );
    expect(await executions.maybeFindExecutionRun(ann, theirs, 'own')).toMatchObject({ runId: other });
  });
});

describe('months', () => {
  beforeEach(() =>
    database.execute(
      'truncate workflow_runs, step_executions, scopes, scope_children, scope_data, scope_history, signals, run_counts',
    ),
  );

  it('are made ahead, one table at a time, by the timekeeper’s user too, and then nothing is to be made', async () => {
    await database.execute(`drop table workflow_runs_${monthOf(0)}, audit_log_${monthOf(0)}`);
    const url = new URL(fresh.url);
    const timekeeper = new pg.Client({ connectionString: url.href });
    await timekeeper.connect();
    try {
      await timekeeper.query('set role stepline_timekeeper');
      let made = 0;
      for (;;) {
        const { rows } = await timekeeper.query('select make_partitions(1, 1) as made');
        if (rows[0].made === 0) break;
        made += rows[0].made;
      }
      expect(await makePartitions(database)).toBe(0);
      await expect(timekeeper.query('select make_partition($1, now())', ['scopes'])).rejects.toThrow(
        'permission denied',
      );
      expect(made).toBe(2);
    } finally {
      await timekeeper.end();
    }
  });

  it('that nobody made in time take the rows that came meanwhile, and lose none', async () => {
    const runId = await addRun(100);
    const other = await addRun(0, {}, 'order-1');
    expect(await partitionOf('workflow_runs', runId)).toBe('workflow_runs_default');
    await makeMonth(100);
    for (const table of TABLES) expect(await partitionOf(table, runId)).toBe(`${table}_${monthOf(100)}`);
    expect(await partitionOf('workflow_runs', other)).toBe('workflow_runs_default');
    expect([await rowsOf(runId), await rowsOf(other)]).toEqual([7, 7]);
    expect(await counted()).toBe(2);
    // It counts as before, and has every index.
    await database.execute('delete from workflow_runs where run_id = $1', [runId]);
    expect(await counted()).toBe(1);
    const { missing } = await database.one<{ missing: number }>(
      `select (select count(*) from pg_index where indrelid = 'workflow_runs'::regclass)
            - (select count(*) from pg_index where indrelid = $1::regclass) as missing`,
      [`workflow_runs_${monthOf(100)}`],
    );
    expect(missing).toBe(0);
    for (const table of TABLES) await database.execute(`drop table ${table}_${monthOf(100)}`);
    await database.execute(`drop table audit_log_${monthOf(100)}`);
  });

  it('are not waited for: who has the table keeps a month from being made, for now', async () => {
    const other = openDatabase({ url: fresh.url });
    await database.execute(`drop table scopes_${monthOf(0)}`);
    await other.transaction(async (statements) => {
      await statements.execute('lock table scopes_default in row exclusive mode');
      expect(await makePartitions(database)).toBe(0);
    });
    expect(await makePartitions(database)).toBe(1);
    await other.close();
  });
});

describe('what is past its time', () => {
  beforeEach(() =>
    database.execute(
      'truncate workflow_runs, step_executions, scopes, scope_children, scope_data, scope_history, signals, run_counts',
    ),
  );
  afterEach(async () => {
    for (const table of TABLES) await database.execute(`drop table if exists ${table}_${monthOf(100)}`);
    await database.execute(`drop table if exists audit_log_${monthOf(100)}`);
  });

  it('goes with its month, from every table at once, and from the counts', async () => {
    await makeMonth(100);
    const old = await addRun(100);
    const young = await addRun(0);
    // Out of reach, then gone.
    expect(await removeOldRuns(database, KEEP)).toBe(100);
    expect(await rowsOf(old)).toBe(0);
    await removeAll();
    for (const table of TABLES) expect(await isThere(`${table}_${monthOf(100)}`)).toBe(false);
    expect(await rowsOf(young)).toBe(7);
    expect(await counted()).toBe(1);
  });

  it('stays where nothing is to be removed', async () => {
    await makeMonth(100);
    const old = await addRun(100);
    await removeRuns({ database, runRetentionDays: 0, clock: () => 0 }, 1_000);
    await removeRuns({ database, runRetentionDays: 200, clock: () => 0 }, 1_000);
    expect(await rowsOf(old)).toBe(7);
  });

  it('goes run by run where its month has an open run, which stays', async () => {
    await makeMonth(100);
    const open = await addRun(100, { status: 'RUNNING' });
    const closed = await Promise.all([addRun(100), addRun(100), addRun(100)]);
    expect(await removeOldRuns(database, { ...KEEP, atMost: 2 })).toBe(2);
    await removeAll();
    expect(await Promise.all(closed.map(rowsOf))).toEqual([0, 0, 0]);
    expect(await rowsOf(open)).toBe(7);
    expect(await isThere(`workflow_runs_${monthOf(100)}`)).toBe(true);
    expect(await counted()).toBe(1);
    await database.execute(
      `update workflow_runs set status = 'COMPLETED', completed_at = now() where run_id = $1`,
      [open],
    );
    await removeAll();
    expect(await rowsOf(open)).toBe(7);
    await database.execute(
      `update workflow_runs set completed_at = now() - interval '31 days' where run_id = $1`,
      [open],
    );
    await removeAll();
    expect(await isThere(`workflow_runs_${monthOf(100)}`)).toBe(false);
    expect(await counted()).toBe(0);
  });

  it('of other producers goes run by run, when it closed so long ago', async () => {
    const old = await addRun(40, {}, 'order-1');
    const young = await addRun(40, { closedDaysAgo: 20 }, 'order-2');
    const open = await addRun(40, { status: 'RUNNING' }, 'order-3');
    await removeAll();
    expect(await Promise.all([old, young, open].map(rowsOf))).toEqual([0, 7, 7]);
    expect(await counted()).toBe(2);
  });

  it('is looked at again when it is out of reach: what went on meanwhile comes back', async () => {
    await makeMonth(100);
    const went = await addRun(100);
    const old = await addRun(100);
    expect(await removeOldRuns(database, KEEP)).toBe(100);
    // As if it had been retried, and had ended, before the month was out of reach.
    await database.execute(
      `update workflow_runs_${monthOf(100)} set completed_at = now() where run_id = $1`,
      [went],
    );
    await removeAll();
    expect(await Promise.all([went, old].map(rowsOf))).toEqual([7, 0]);
    expect(await counted()).toBe(1);
  });

  it('of the audit log goes with its month, and a record tells it', async () => {
    await makeMonth(100);
    await database.execute(
      `insert into audit_log (id, at, action, result)
       select gen_random_uuid(), now() - interval '100 days', 'x', 'SUCCESS' from generate_series(1, 3)`,
    );
    expect(await purgeAuditLog(database, { keepDays: 200, atMost: 10 })).toBe(0);
    await expect(database.execute(`truncate audit_log_${monthOf(100)}`)).rejects.toThrow('never changed');
    expect(await purgeAuditLog(database, { keepDays: 30, atMost: 10 })).toBe(3);
    expect(await isThere(`audit_log_${monthOf(100)}`)).toBe(false);
    const [told] = await database.many<{ resource: string }>(
      `select resource from audit_log where action = 'purge_audit_log' order by at desc limit 1`,
    );
    expect(told?.resource).toMatch(/^3 records up to .*Z, kept for 30 days$/);
  });
});

describe('a run’s statements look into its month alone', () => {
  /** The tables' rows are of two months and of none. */
  const others = () => [`_${monthOf(100)}`, '_default'];
  let runId: string;
  let id: string;
  beforeAll(async () => {
    await makeMonth(100);
    for (let n = 0; n < 20; n++) {
      await addRun(100);
      await addRun(0, {}, `order-p${n}`);
      runId = await addRun(0, { status: 'RUNNING' });
    }
    const query = 'select step_execution_id as id from step_executions where run_id = $1';
    ({ id } = await database.one<{ id: string }>(query, [runId]));
  });

  const calls: Record<string, (statements: Statements) => Promise<unknown>> = {
    load_runs: (statements) =>
      loadRuns(statements, {
        runIds: [runId],
        woken: [],
        attempts: { ...NO_ATTEMPTS, ids: [id], openOf: [runId] },
      }),
    load_run_data: (statements) =>
      loadRunData(statements, [
        {
          runId,
          owner: null,
          needs: { ...NO_NEEDS, workflowInput: true, variables: [''], outputs: [{ scope: '', stepId: 'a' }] },
        },
      ]),
    save_runs: (statements) =>
      saveChanges(
        statements,
        {
          ...NO_CHANGES,
          advanced: [{ runId, was: 0, sequence: 1, stepsStarted: 1 }],
          closed: [{ ...attempt({ stepExecutionId: id, status: 'COMPLETED' }), runId }],
          opened: [
            {
              runId,
              stepName: 'b',
              agentName: 'b',
              stepType: 'agent',
              attempt: attempt({ stepExecutionId: uuidv7(), stepId: 'b' }),
            },
          ],
          signalsTaken: [
            { runId, signal: { id: 's', name: 's', payload: null, receivedAt: 0, takenBy: 'x' } },
          ],
        },
        { id: uuidv7(), messages: [] },
      ),
    extendDeadlines: (statements) =>
      createAgentCalls(statements).extendDeadlines([
        { runId, stepExecutionId: id, deadlineInMs: 1, accepted: true },
      ]),
    beat: (statements) => createAgentCalls(statements).beat(runId, id),
    maybeFindRun: (statements) => createRunQueries(statements).maybeFindRun(admin, runId),
  };

  it.each(Object.keys(calls))('%s', async (name) => {
    // To make a plan is to look at every index; a connection does it once.
    const undo = new Error('Undone');
    const planned = database.transaction(async (statements) => {
      await calls[name]!(statements);
      throw undo;
    });
    await expect(planned).rejects.toBe(undo);
    const read = await tablesReadDuring(database, () => calls[name]!(database));
    expect(read.some((table) => table.endsWith(monthOf(0)))).toBe(true);
    expect(read.filter((table) => others().some((suffix) => table.endsWith(suffix)))).toEqual([]);
  });

  it('(and one that looks into all is seen)', async () => {
    const read = await tablesReadDuring(database, () => createRunQueries(database).maybeFindAttempt(id));
    expect(read).toContain('step_executions_default');
  });
});

describe('lists over months', () => {
  it('are newest first and paged, of all and of one owner', async () => {
    await database.execute('truncate workflow_runs, run_counts');
    const runIds = [await addRun(0), await addRun(10), await addRun(100), await addRun(4_000)];
    const theirs = await addRun(50, {}, 'order-9');
    const newestFirst = [runIds[0], runIds[1], theirs, runIds[2], runIds[3]];
    for (const viewer of [admin, ann]) {
      const { listRuns } = createRunQueries(database);
      const seen: string[] = [];
      let after = null;
      do {
        const page: Awaited<ReturnType<typeof listRuns>> = await listRuns(viewer, {}, { after, limit: 2 });
        seen.push(...page.items.map(({ run_id }) => run_id));
        after = page.next;
      } while (after !== null);
      expect(seen).toEqual(newestFirst);
    }
  });

  it.each([
    ['all', 'true', 'created_at desc, id desc'],
    ['an owner’s', `owner = 'ann'`, 'created_at desc, id desc'],
    ['a workflow’s', `workflow_definition_id = 'w'`, 'created_at desc, id desc'],
    ['open ones', `status in ('PENDING', 'RUNNING')`, 'created_at desc, id desc'],
    ['unsuccessful ones', `status in ('FAILED', 'CANCELLED')`, 'created_at desc, id desc'],
    ['an owner’s by their start', `owner = 'ann'`, 'begun_at desc, id desc'],
    [
      'a community’s by their start',
      `workflow_definition_id = 'w' and community_id = 7`,
      'begun_at desc, id desc',
    ],
    [
      'a community’s of one status',
      `workflow_definition_id = 'w' and community_id = 7 and execution_status = 'FAILED'`,
      'begun_at desc, id desc',
    ],
    [
      'a community’s by their time',
      `workflow_definition_id = 'w' and community_id = 7`,
      'execution_time desc, id desc',
    ],
  ])('%s are merged from an index of each month', async (_, where, order) => {
    const plan = await database.transaction(async (statements) => {
      // Small tables are read as a whole else.
      await statements.one(
        `select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`,
      );
      return statements.many<{ 'QUERY PLAN': string }>(
        `explain select run_id from workflow_runs where ${where} order by ${order} limit 10`,
      );
    });
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(lines).toContain('Merge Append');
    expect(lines).not.toMatch(/Sort Key.*\n.*->\s+Seq|Sort {2}/);
    expect(lines).not.toContain('Filter');
  });
});
