import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { fireDueTimes } from '../../../functions/timekeeper/fire-due-times.ts';
import { Pace } from '../../../functions/timekeeper/pace.ts';
import { createDueTimes } from '../../../shared/persistence/due-times.ts';
import {
  type EngineHarness,
  openEngineHarness,
  type Published,
  sequence,
  topics,
} from '../../support/engine-harness.ts';

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());
beforeEach(async () => {
  await engine.database.execute(
    'update workflow_runs set wake_at = null, leased_until = null, lease_ms = null',
  );
  await engine.database.execute(
    'update step_executions set wake_at = null, leased_until = null, lease_ms = null',
  );
});

type Table = 'workflow_runs' | 'step_executions';

/** A timekeeper that is told until when the topics are read; null: nobody can tell. */
function timekeeper(readUntil: Partial<Record<'stepRequests' | 'executionRequests', number>> | null = null) {
  const published: Published[] = [];
  const fire = () =>
    fireDueTimes({
      dueTimes: createDueTimes(engine.database),
      producer: { publish: async (messages) => void published.push(...messages) },
      topics,
      pace: new Pace(),
      readProgress: async () =>
        readUntil &&
        ((topic) =>
          (topic === topics.stepRequests ? readUntil.stepRequests : readUntil.executionRequests) ??
          Number.POSITIVE_INFINITY),
      clock: () => 0,
    });
  return { fire, published };
}

async function pendingRun(): Promise<string> {
  const { workflowId } = await engine.registerWorkflow(sequence(['a']));
  return engine.start(workflowId);
}

/** Its agent was asked, and its step has the error's handler requested. */
async function requestedStep(): Promise<string> {
  const steps = {
    a: { agent_name: 'a', retry: [], catch: [{ next_step: 'b' }] },
    b: { agent_name: 'b' },
  };
  const { workflowId } = await engine.registerWorkflow({ ...sequence(['a']), steps });
  const runId = await engine.start(workflowId);
  await engine.decide(runId, { type: 'execution_requested' });
  await engine.answer(runId, { status: 'failed', error: { code: 'NO', message: 'no', retryable: false } });
  return runId;
}

/** So much time passes for it: it is older, and due so much sooner. */
async function pass(table: Table, runId: string, seconds: number): Promise<void> {
  await engine.database.execute(
    `update ${table} set created_at = created_at - $2 * interval '1 second', wake_at = wake_at - $2 * interval '1 second',
            leased_until = leased_until - $2 * interval '1 second' where run_id = $1`,
    [runId, seconds],
  );
}

async function dueIn(table: Table, runId: string): Promise<number> {
  const { seconds } = await engine.database.one<{ seconds: number }>(
    `select extract(epoch from max(wake_at) - now())::float8 as seconds from ${table} where run_id = $1`,
    [runId],
  );
  return Math.round(seconds);
}

describe('a row of which nothing comes', () => {
  it.each<[Table, () => Promise<string>]>([
    ['workflow_runs', pendingRun],
    ['step_executions', requestedStep],
  ])('of %s fires after twice as long each time, and hourly at last', async (table, makeRow) => {
    const runId = await makeRow();
    const { fire, published } = timekeeper();
    const leases: number[] = [];
    await pass(table, runId, await dueIn(table, runId).then((seconds) => seconds + 1));
    for (let i = 0; i < 9; i++) {
      expect([i, await fire()]).toEqual([i, 1]);
      const lease = await dueIn(table, runId);
      leases.push(lease);
      await pass(table, runId, lease - 5);
      expect([i, await fire()]).toEqual([i, 0]);
      await pass(table, runId, 6);
    }
    expect(leases).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    expect(published).toHaveLength(9);
  });

  it('begins anew with the next time that it is given', async () => {
    const runId = await requestedStep();
    const { fire } = timekeeper();
    for (const lease of [60, 120]) {
      await pass('step_executions', runId, 61 + lease);
      await fire();
    }
    await engine.database.execute(
      `update step_executions set wake_at = now() where run_id = $1 and status = 'PENDING'`,
      [runId],
    );
    expect(await fire()).toBe(1);
    expect(await dueIn('step_executions', runId)).toBe(60);
  });
});

describe('what waits in its topic is not asked for again', () => {
  const ago = (ms: number) => Date.now() - ms;

  it('a step whose request is not read; it is, once what came before a minute ago is read', async () => {
    const runId = await requestedStep();
    await pass('step_executions', runId, 61);
    // Its request is from about 61 s ago.
    expect(await timekeeper({ stepRequests: ago(90_000) }).fire()).toBe(0);
    expect(await dueIn('step_executions', runId)).toBe(60);
    await pass('step_executions', runId, 61);
    const { fire, published } = timekeeper({ stepRequests: ago(1_000) });
    expect(await fire()).toBe(1);
    expect(published.map(({ key }) => key)).toEqual([runId]);
  });

  it('a run whose execution request is not read, nor one whose wake is not', async () => {
    const runId = await pendingRun();
    await pass('workflow_runs', runId, 61);
    expect(await timekeeper({ executionRequests: ago(90_000) }).fire()).toBe(0);
    await pass('workflow_runs', runId, 61);
    expect(await timekeeper({ executionRequests: ago(1_000) }).fire()).toBe(1);
    await pass('workflow_runs', runId, 121);
    // The wake that it had two minutes ago.
    expect(await timekeeper({ stepRequests: ago(180_000) }).fire()).toBe(0);
    await pass('workflow_runs', runId, 241);
    expect(await timekeeper({ stepRequests: ago(1_000) }).fire()).toBe(1);
  });

  it('a timer whose time has come fires for all that, the first time; its repeat waits', async () => {
    const steps = { a: { type: 'wait', seconds: 600 } };
    const { workflowId } = await engine.registerWorkflow({
      ...sequence(['a']),
      timeout_seconds: 3_600,
      steps,
    });
    const runId = await engine.start(workflowId);
    await engine.decide(runId, { type: 'execution_requested' });
    const past = `now() - interval '1 second'`;
    await engine.database.execute(
      `update step_executions set due_at = ${past}, wake_at = ${past} where run_id = $1`,
      [runId],
    );
    await engine.database.execute(
      `update workflow_runs set timeout_at = ${past}, wake_at = ${past} where run_id = $1`,
      [runId],
    );
    const behind = { stepRequests: ago(3_600_000), executionRequests: ago(3_600_000) };
    expect(await timekeeper(behind).fire()).toBe(2);
    for (const table of ['step_executions', 'workflow_runs'] as const) await pass(table, runId, 61);
    expect(await timekeeper(behind).fire()).toBe(0);
  });

  it('I7: what has been asked for until it is asked hourly, is asked for whatever is said to wait', async () => {
    const runId = await requestedStep();
    const nothingIsRead = { stepRequests: Number.NEGATIVE_INFINITY };
    const fired: number[] = [];
    for (let i = 0; i < 9; i++) {
      await pass('step_executions', runId, (await dueIn('step_executions', runId)) + 1);
      fired.push(await timekeeper(nothingIsRead).fire());
    }
    expect(fired).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1]);
  });
});

it('a look for due times ends in time, however many are left', async () => {
  await engine.database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, wake_at)
     select 'many-' || n, 'w', 'w', 'PENDING', now() - interval '1 second' from generate_series(1, 1100) n`,
  );
  let now = 0;
  const fired = await fireDueTimes({
    dueTimes: createDueTimes(engine.database),
    producer: { publish: async () => {} },
    topics,
    pace: new Pace(),
    readProgress: async () => null,
    clock: () => {
      now += 6_000;
      return now;
    },
  });
  expect(fired).toBe(1_000);
  await engine.database.execute(`delete from workflow_runs where run_id like 'many-%'`);
});
