import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { fireDueTimes } from '../../../functions/timekeeper/fire-due-times.ts';
import { Pace } from '../../../functions/timekeeper/pace.ts';
import { publishLeftBehind } from '../../../functions/timekeeper/publish-left-behind.ts';
import type { AgentOutcome } from '../../../shared/engine/event.ts';
import { openDatabase } from '../../../shared/persistence/database.ts';
import { createDueTimes } from '../../../shared/persistence/due-times.ts';
import {
  type EngineHarness,
  openEngineHarness,
  type Published,
  sequence,
  topics,
} from '../../support/engine-harness.ts';

/* What one row does to the database, to the messages that are made of it, or to a statement's time, is its own run's affair. */

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
  await engine.database.execute(`create function sleep_for(step_id text, seconds float8) returns boolean language plpgsql as $$
    begin
      if step_id = 'slow' then perform pg_sleep(seconds); end if;
      return true;
    end $$`);
});
afterEach(async () => {
  for (const name of ['poison', 'slow'])
    await engine.database.execute(`alter table step_executions drop constraint if exists ${name}`);
  await engine.database.execute(`alter table ${await tableOf('exclude')} drop constraint if exists poison`);
  await engine.database.execute('alter table workflow_runs drop constraint if exists slow');
});
afterAll(() => engine?.close());

const completed = (output: null | string = null): AgentOutcome => ({ status: 'completed', output });

/** Runs whose first step is under way: the poisoned one is the third. */
async function underWay(poisoned: string) {
  const runIds: string[] = [];
  for (const step of ['a', 'b', poisoned, 'c', 'd', 'e']) {
    const { workflowId } = await engine.registerWorkflow(sequence([step, 'after']));
    const runId = await engine.start(workflowId);
    await engine.decide(runId, { type: 'execution_requested' });
    runIds.push(runId);
  }
  const ids = await Promise.all(runIds.map((runId) => engine.openAttempt(runId)));
  const answers = runIds.map((runId, i) => ({
    runId,
    event: {
      type: 'agent_answered' as const,
      stepExecutionId: ids[i]!,
      attempt: 1,
      outcome: completed(),
      logs: null,
    },
  }));
  const told = async () =>
    Promise.all(
      runIds.map(async (runId) => {
        const { status, error_code } = await engine.runRow(runId);
        return [status, error_code].filter((word) => word !== null).join(' ');
      }),
    );
  return { answers, told };
}

const THIRD = ['RUNNING', 'RUNNING', 'FAILED INTERNAL_ERROR', 'RUNNING', 'RUNNING', 'RUNNING'];
const UNTOUCHED = THIRD.map(() => 'RUNNING');

/** With a database whose statements end after a while. */
function hurried(milliseconds: number) {
  const url = new URL(engine.databaseUrl);
  url.searchParams.set('options', `-c statement_timeout=${milliseconds}`);
  return engine.environment({ databaseUrl: url.href });
}

/** An exclusion is of one partition: that in which these rows are. */
async function tableOf(constraint: string): Promise<string> {
  if (!constraint.includes('exclude')) return 'step_executions';
  const { partition } = await engine.database.one<{ partition: string }>(
    `select tableoid::regclass::text as partition from step_executions where step_id = 'poison' limit 1`,
  );
  return partition;
}

describe('a record', () => {
  it.each([
    ['a check', `add constraint poison check (step_id <> 'poison' or status <> 'COMPLETED')`],
    [
      'an exclusion',
      `add constraint poison exclude (step_id with =) where (step_id = 'poison' and status = 'COMPLETED')`,
    ],
  ])('that %s refuses', async (_, constraint) => {
    const { answers, told } = await underWay('poison');
    if (constraint.includes('exclude')) {
      // One is there already, and none of an earlier test.
      await engine.database.execute(
        `update step_executions set status = 'FAILED' where step_id = 'poison' and status = 'COMPLETED'`,
      );
      const { answers: earlier } = await underWay('poison');
      await engine.processBatch(earlier);
    }
    await engine.database.execute(
      `alter table ${await tableOf(constraint)} ${constraint} ${constraint.includes('check') ? 'not valid' : ''}`,
    );
    const outcomes = await engine.environment().processBatch(answers);
    expect(outcomes[2]).toMatchObject({ outcome: 'decided', status: 'FAILED', fault: { class: 'defect' } });
    expect(await told()).toEqual(THIRD);
  });
});

describe('a record that takes too long', () => {
  it('alone, and whose run can be ended, ends it', async () => {
    const { answers, told } = await underWay('slow');
    await engine.database.execute(
      `alter table step_executions add constraint slow check (status <> 'COMPLETED' or sleep_for(step_id, 2)) not valid`,
    );
    const outcomes = await hurried(1_000).processBatch(answers);
    expect(outcomes[2]).toMatchObject({ outcome: 'decided', status: 'FAILED', fault: { class: 'defect' } });
    expect(await told()).toEqual(THIRD);
  });

  it('as does all that is asked for it: the batch comes again', async () => {
    const { answers, told } = await underWay('slow');
    await engine.database.execute(
      'alter table workflow_runs add constraint slow check (pg_sleep(0.6) is not null) not valid',
    );
    await engine.database.execute(
      `alter table step_executions add constraint slow check (status = 'RUNNING' or pg_sleep(0.6) is not null) not valid`,
    );
    await expect(hurried(300).processBatch(answers)).rejects.toMatchObject({ code: 'STATEMENT_TIMEOUT' });
    await engine.database.execute('alter table workflow_runs drop constraint slow');
    expect(await told()).toEqual(UNTOUCHED);
  });
});

describe('what is the same for every record', () => {
  it('as a function that is not there brings the batch again, and ends no run', async () => {
    const { answers, told } = await underWay('a');
    await engine.database.execute('alter table outbox rename to outbox_of_another_release');
    try {
      await expect(engine.processBatch(answers)).rejects.toMatchObject({ code: 'DATABASE_UNFIT' });
    } finally {
      await engine.database.execute('alter table outbox_of_another_release rename to outbox');
    }
    expect(await told()).toEqual(UNTOUCHED);
  });

  it('as a password that cannot be had is the database being away', async () => {
    const { hostname, port } = new URL(engine.databaseUrl);
    const database = openDatabase({
      url: `postgres://ann@${hostname}:${port}/nowhere`,
      password: () => Promise.reject(new Error('no credentials')),
    });
    const unavailable = { code: 'DATABASE_UNAVAILABLE' };
    await expect(database.one('select 1')).rejects.toMatchObject(unavailable);
    await expect(database.transaction(async () => {})).rejects.toMatchObject(unavailable);
    await database.close();
  });
});

describe('the timekeeper', () => {
  function timekeeper(refuses: (message: Published) => boolean = () => false) {
    const published: Published[] = [];
    const producer = {
      async publish(messages: readonly Published[]) {
        if (messages.some(refuses)) throw new RangeError('too deep to be written');
        published.push(...messages);
      },
      async send(messages: readonly Published[]) {
        published.push(...messages);
        return { deliveries: messages.map(() => ({ status: 'acknowledged' }) as const), late: null };
      },
    };
    const { database, routeTasks } = engine;
    const dueTimes = createDueTimes(database);
    const readProgress = async () => null;
    const deps = {
      database,
      dueTimes,
      producer,
      routeTasks,
      topics,
      readProgress,
      pace: new Pace(),
      clock: () => 0,
    };
    return { deps, published };
  }

  it.each([
    ['is no list', '{"of": "another release"}'],
    ['has a message of nothing', '[null]'],
  ])('publishes what is left behind around a row that %s, and looks at that later', async (_, messages) => {
    await engine.database.execute('delete from outbox');
    const good = `[{"topic": "t", "key": "k", "value": {"of": "this"}}]`;
    await engine.database.execute(
      `insert into outbox (id, messages, created_at)
       select ('00000000-0000-7000-8000-00000000000' || i)::uuid,
              (case when i = 2 then $1 else $2 end)::json, now() - interval '1 minute' from generate_series(1, 4) as i`,
      [messages, good],
    );
    const { deps, published } = timekeeper();
    await expect(publishLeftBehind(deps)).rejects.toThrow('cannot be published');
    expect(published.map(({ value }) => value)).toEqual(Array.from({ length: 3 }, () => ({ of: 'this' })));
    const left = await engine.database.many(`select id::text, retry_at > now() as later from outbox`);
    expect(left).toEqual([{ id: '00000000-0000-7000-8000-000000000002', later: true }]);
    await engine.database.execute('delete from outbox');
  });

  it('fires what is due around a row that cannot be fired', async () => {
    await engine.database.execute(`update workflow_runs set wake_at = null`);
    await engine.database.execute(`update step_executions set wake_at = null`);
    const runIds: string[] = [];
    for (let i = 0; i < 5; i++) {
      const { workflowId } = await engine.registerWorkflow(sequence(['a']));
      runIds.push(await engine.start(workflowId));
    }
    await engine.database.execute(
      `update workflow_runs set wake_at = now() - interval '1 second' where run_id = any($1)`,
      [runIds],
    );
    const { deps, published } = timekeeper(({ key }) => key === runIds[2]);
    await expect(fireDueTimes(deps)).rejects.toThrow('too deep to be written');
    expect(published.map(({ key }) => key).sort()).toEqual(runIds.filter((_, i) => i !== 2).sort());
  });
});
