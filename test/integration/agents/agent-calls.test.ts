import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { hashOf } from '../../../shared/agent-bridge/agent-speeds.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import { type Database, openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { migrate } from '../../../shared/persistence/migrate.ts';
import { readsDuring } from '../../support/table-reads.ts';

const name = `agent_calls_${randomUUID().replaceAll('-', '')}`;
let admin: pg.Client;
let database: Database;
let oneConnection: Database;

beforeAll(async () => {
  admin = new pg.Client({ connectionString: inject('databaseUrl') });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(inject('databaseUrl'));
  url.pathname = name;
  await migrate(url.href);
  database = openDatabase({ url: url.href, maxConnections: 4 });
  oneConnection = openDatabase({ url: url.href });
});

afterAll(async () => {
  await Promise.all([database?.close(), oneConnection?.close()]);
  await admin.query(`drop database ${name} with (force)`);
  await admin.end();
});

async function addRun(owner: string | null, status = 'RUNNING'): Promise<string> {
  const runId = `run-${randomUUID()}`;
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner) values ($1, 'w', 'w', $2, $3)`,
    [runId, status, owner],
  );
  return runId;
}

async function addAttempt(
  runId: string,
  agentName: string,
  status = 'RUNNING',
  timeoutMs: number | null = null,
) {
  const id = randomUUID();
  await database.execute(
    `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status, timeout_ms)
     values ($1::uuid, $1::text, $2, $3, 's', $4, $5, $6)`,
    [id, runId, `s-${id}`, agentName, status, timeoutMs],
  );
  return id;
}

async function addAgent(
  agentName: string,
  owner: string | null,
  address: string,
  secret: Buffer | null = null,
) {
  await database.execute(
    `insert into agents (id, owner, name, kind, address, timeout_seconds, secret_encrypted)
     values ($1, $2, $3, 'http', $4, 9, $5)`,
    [randomUUID(), owner, agentName, address, secret],
  );
}

interface DeadlineRow {
  accepted_at: Date | null;
  in_ms: number | null;
  wake_is_deadline: boolean | null;
}
const deadlineOf = (id: string) =>
  database.one<DeadlineRow>(
    `select accepted_at, (extract(epoch from deadline_at - now()) * 1000)::int as in_ms, wake_at = deadline_at as wake_is_deadline
       from step_executions where step_execution_id = $1`,
    [id],
  );

describe('loading calls', () => {
  it('gives each attempt its run and its agent, in one statement', async () => {
    await addAgent('mine-first', null, 'http://everybody', Buffer.from('all'));
    await addAgent('mine-first', 'ann', 'http://ann', Buffer.from('ann'));
    await addAgent('only-bobs', 'bob', 'http://bob');
    await database.execute(
      `update agents set previous_secret_encrypted = 'before',
              previous_secret_until = now() + case when owner is null then interval '1 hour' else interval '-1 second' end
        where name = 'mine-first'`,
    );
    const [ann, bob, nobody] = [await addRun('ann'), await addRun('bob', 'FAILED'), await addRun(null)];
    const ids = [
      await addAttempt(ann, 'mine-first', 'RUNNING', 1_500),
      await addAttempt(bob, 'mine-first', 'COMPLETED'),
      await addAttempt(nobody, 'mine-first'),
      await addAttempt(ann, 'only-bobs'),
      await addAttempt(bob, 'only-bobs'),
      await addAttempt(ann, 'unheard-of'),
    ];
    let statements = 0;
    const counting: Database = {
      ...database,
      many: (sql, values) => {
        statements++;
        return database.many(sql, values);
      },
    };
    const calls = await createAgentCalls(counting).loadCalls([...ids, randomUUID()]);
    expect(statements).toBe(1);
    expect(calls.size).toBe(6);
    expect(ids.map((id) => calls.get(id)?.agent?.address ?? null)).toEqual([
      'http://ann',
      'http://everybody',
      'http://everybody',
      null,
      'http://bob',
      null,
    ]);
    expect(calls.get(ids[0]!)).toEqual({
      stepExecutionId: ids[0],
      runId: ann,
      runStatus: 'RUNNING',
      attemptStatus: 'RUNNING',
      accepted: false,
      timeoutMs: 1_500,
      agentName: 'mine-first',
      agent: {
        kind: 'http',
        address: 'http://ann',
        owner: 'ann',
        timeoutSeconds: 9,
        secretEncrypted: Buffer.from('ann'),
        // Its time is over.
        previousSecretEncrypted: null,
      },
      speed: null,
    });
    expect(calls.get(ids[1]!)).toMatchObject({
      runStatus: 'FAILED',
      attemptStatus: 'COMPLETED',
      timeoutMs: null,
      agent: { owner: null, previousSecretEncrypted: Buffer.from('before') },
    });
  });
});

describe('how quick agents are', () => {
  const speedOf = (agentName: string, owner: string | null, averageMs: number) => ({
    name: agentName,
    owner,
    addressHash: hashOf(`http://${agentName}`),
    averageMs,
  });

  it('comes with what is to be called: the agent’s that is meant, or the registry’s, as it was told last', async () => {
    await addAgent('measured', null, 'http://everybody');
    await addAgent('measured', 'ann', 'http://ann');
    const [ann, bob] = [await addRun('ann'), await addRun('bob')];
    const ids = [
      await addAttempt(ann, 'measured'),
      await addAttempt(bob, 'measured'),
      await addAttempt(ann, 'of-the-registry'),
      await addAttempt(ann, 'never-called'),
    ];
    const { loadCalls, saveSpeeds } = createAgentCalls(database);
    await saveSpeeds([speedOf('measured', 'ann', 5_000), speedOf('of-the-registry', null, 30)]);
    await saveSpeeds([
      speedOf('measured', null, 70),
      speedOf('measured', 'ann', 80),
      speedOf('measured', 'ann', 90),
    ]);
    const calls = await loadCalls(ids);
    const speeds = ids.map((id) => calls.get(id)?.speed ?? null);
    expect(speeds.map((speed) => speed?.averageMs ?? null)).toEqual([90, 70, 30, null]);
    expect(speeds[2]?.addressHash.equals(hashOf('http://of-the-registry'))).toBe(true);
    expect(speeds[0]?.ageMs).toBeGreaterThanOrEqual(0);
    expect(speeds[0]?.ageMs).toBeLessThan(60_000);
  });
});

describe('extending deadlines', () => {
  it('touches only attempts of that run that are running', async () => {
    const [run, other] = [await addRun(null), await addRun(null)];
    const accepted = await addAttempt(run, 'a');
    const handed = await addAttempt(run, 'a');
    const settled = await addAttempt(run, 'a', 'COMPLETED');
    const pending = await addAttempt(run, 'a', 'PENDING');
    const others = await addAttempt(other, 'a');
    const { extendDeadlines, loadCalls } = createAgentCalls(database);
    const extension = { runId: run, deadlineInMs: 60_000, accepted: true };
    const touched = await extendDeadlines([
      { ...extension, stepExecutionId: accepted },
      { ...extension, stepExecutionId: handed, deadlineInMs: 120_000.4, accepted: false },
      { ...extension, stepExecutionId: settled },
      { ...extension, stepExecutionId: pending },
      { ...extension, stepExecutionId: others },
    ]);
    expect(touched).toBe(2);
    const [first, second] = [await deadlineOf(accepted), await deadlineOf(handed)];
    expect(first).toMatchObject({ accepted_at: expect.any(Date), wake_is_deadline: true });
    expect(first.in_ms).toBeGreaterThan(0);
    expect(first.in_ms).toBeLessThanOrEqual(60_000);
    expect(second).toMatchObject({ accepted_at: null, wake_is_deadline: true });
    expect(second.in_ms).toBeGreaterThan(60_000);
    for (const id of [settled, pending, others]) {
      expect(await deadlineOf(id)).toEqual({ accepted_at: null, in_ms: null, wake_is_deadline: null });
    }
    const calls = await loadCalls([accepted, handed]);
    expect([calls.get(accepted)?.accepted, calls.get(handed)?.accepted]).toEqual([true, false]);
  });

  it('waits for a decision on the run that is being committed, and then finds the attempt settled', async () => {
    const run = await addRun(null);
    const id = await addAttempt(run, 'a');
    const { promise: settledIt, resolve: settle } = Promise.withResolvers<void>();
    const { promise: lockedIt, resolve: locked } = Promise.withResolvers<void>();
    const decision = database.transaction(async (statements: Statements) => {
      await statements.one('select 1 from workflow_runs where run_id = $1 for update', [run]);
      await statements.execute(
        `update step_executions set status = 'COMPLETED' where step_execution_id = $1`,
        [id],
      );
      locked();
      await settledIt;
    });
    await lockedIt;
    const extending = createAgentCalls(database).extendDeadlines([
      { stepExecutionId: id, runId: run, deadlineInMs: 1_000, accepted: true },
    ]);
    expect(await Promise.race([extending, sleep(100, 'waiting')])).toBe('waiting');
    settle();
    await decision;
    expect(await extending).toBe(0);
    expect((await deadlineOf(id)).accepted_at).toBeNull();
  });

  it('does not deadlock with itself over the same runs in another order', async () => {
    const runs = await Promise.all(Array.from({ length: 20 }, () => addRun(null)));
    const extensions = await Promise.all(
      runs.map(async (runId) => ({
        stepExecutionId: await addAttempt(runId, 'a'),
        runId,
        deadlineInMs: 1,
        accepted: false,
      })),
    );
    const { extendDeadlines } = createAgentCalls(database);
    const counts = await Promise.all(
      Array.from({ length: 20 }, (_, i) => extendDeadlines(i % 2 ? extensions : extensions.toReversed())),
    );
    expect(new Set(counts)).toEqual(new Set([20]));
  });
});

describe('on tables of a hundred thousand attempts', () => {
  it('both statements use indexes only, for batches of 1, 10 and 100', async () => {
    await database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner)
       select 'big-' || g, 'w', 'w', 'RUNNING', 'owner-' || g % 100 from generate_series(1, 20000) g`,
    );
    await database.execute(
      `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status)
       select id, id::text, run_id, 's' || k, 's', 'agent-' || k, 'RUNNING'
         from (select gen_random_uuid() as id, run_id, k from workflow_runs, generate_series(1, 5) k where run_id like 'big-%') x`,
    );
    await database.execute(
      `insert into agents (id, owner, name, kind, address)
       select gen_random_uuid(), 'owner-' || o, 'agent-' || k, 'http', 'http://x' from generate_series(1, 100) o, generate_series(1, 20) k`,
    );
    await database.execute('analyze');
    for (const size of [1, 10, 100]) {
      const rows = await database.many<{ id: string; run_id: string }>(
        `select step_execution_id as id, run_id from step_executions where run_id like 'big-%' order by step_execution_id limit $1`,
        [size],
      );
      const plans: string[] = [];
      const explain = async (sql: string, values: readonly unknown[] = []) => {
        const plan = await database.many<{ 'QUERY PLAN': string }>(`explain ${sql}`, values);
        plans.push(plan.map((line) => line['QUERY PLAN']).join('\n'));
      };
      const explaining: Statements = {
        ...database,
        execute: async (sql, values) => {
          await explain(sql, values);
          return 0;
        },
      };
      // EXPLAIN does not look into the function that loads; the counters do.
      const { wholeTables } = await readsDuring(oneConnection, async () => {
        const { loadCalls } = createAgentCalls(oneConnection);
        expect((await loadCalls(rows.map(({ id }) => id))).size).toBe(size);
      });
      expect(wholeTables).toEqual([]);
      const { extendDeadlines } = createAgentCalls(explaining);
      await extendDeadlines(
        rows.map(({ id, run_id }) => ({
          stepExecutionId: id,
          runId: run_id,
          deadlineInMs: 1,
          accepted: false,
        })),
      );
      expect(plans).toHaveLength(1);
      for (const plan of plans) expect(plan).not.toContain('Seq Scan');
    }
  });
});
