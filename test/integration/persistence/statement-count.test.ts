import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { BatchItem } from '../../../shared/application/batch.ts';
import type { AgentOutcome, EngineEvent } from '../../../shared/engine/event.ts';
import { type DatabaseRelay, startDatabaseRelay } from '../../support/database-relay.ts';
import {
  type EngineHarness,
  type Environment,
  openEngineHarness,
  sequence,
} from '../../support/engine-harness.ts';

/*
 * A batch is a fixed handful of statements whatever its size (design §3): the same ones, in the same order, for 1, 10 and 100
 * records, `begin` and `commit` included.
 */

const SIZES = [1, 10, 100];
let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());

async function runsAt(stage: 'PENDING' | 'RUNNING' | 'WAITING' | 'FAILED', count: number): Promise<string[]> {
  const { workflowId } = await engine.registerWorkflow(
    sequence(['a', 'b'], { retry: stage === 'FAILED' ? [] : { initial_interval_ms: 0 } }),
  );
  const runIds: string[] = [];
  for (let i = 0; i < count; i++) runIds.push(await engine.start(workflowId, { input: { i } }));
  if (stage === 'PENDING') return runIds;
  await engine.processBatch(runIds.map((runId) => ({ runId, event: { type: 'execution_requested' } })));
  if (stage === 'RUNNING') return runIds;
  await engine.processBatch(await answers(runIds, failed));
  return runIds;
}

const failed: AgentOutcome = { status: 'failed', error: { code: 'X', message: 'x', retryable: true } };

/** Of all steps, or of one. */
async function openAttempts(runIds: readonly string[], stepId: string | null = null) {
  return engine.database.many<{ run_id: string; id: string }>(
    `select run_id, step_execution_id as id from step_executions
      where run_id = any($1) and status in ('PENDING', 'RUNNING') and ($2::text is null or step_id = $2)`,
    [runIds, stepId],
  );
}

/** Runs whose first step leads to this one, which is requested. */
async function scopedRuns(scoped: object, count: number): Promise<string[]> {
  const { workflowId } = await engine.registerWorkflow({
    name: `scoped-${randomUUID()}`,
    start_step: 'first',
    steps: { first: { type: 'pass', result: null, next_step: 'scoped' }, scoped },
  });
  const runIds: string[] = [];
  for (let i = 0; i < count; i++)
    runIds.push(await engine.start(workflowId, { input: { items: [1, 2, 3] } }));
  await engine.processBatch(runIds.map((runId) => ({ runId, event: { type: 'execution_requested' } })));
  return runIds;
}

const inside = (id: string) => ({
  start_step: id,
  steps: { [id]: { agent_name: 'x', input_mapping: { i: '$.workflow_input' } } },
});
const branches = { type: 'parallel', branches: { left: inside('in-left'), right: inside('in-right') } };
const items = { type: 'map', items: '$.workflow_input.items', max_concurrency: 1, ...inside('each') };

async function stepRequests(runIds: readonly string[], stepId = 'scoped'): Promise<BatchItem[]> {
  return (await openAttempts(runIds, stepId)).map(({ run_id: runId, id }) => ({
    runId,
    event: { type: 'step_requested', stepExecutionId: id },
  }));
}

async function answers(
  runIds: readonly string[],
  outcome: AgentOutcome,
  stepId: string | null = null,
): Promise<BatchItem[]> {
  return (await openAttempts(runIds, stepId)).map(({ run_id: runId, id }) => ({
    runId,
    event: { type: 'agent_answered', stepExecutionId: id, attempt: null, logs: null, outcome },
  }));
}

const of = (runIds: readonly string[], event: EngineEvent): BatchItem[] =>
  runIds.map((runId) => ({ runId, event }));

const theirPlan = (name: string) => ({
  name,
  start_step: 'a',
  steps: { a: { agent_name: 'x', next_step: null, input_mapping: { v: '$.workflow_input' } } },
});

async function theirRuns(count: number): Promise<string[]> {
  const rows = await engine.database.many<{ run_id: string }>(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status)
     select 'run-' || gen_random_uuid(), 'w', 'w', 'PENDING' from generate_series(1, $1) returning run_id`,
    [count],
  );
  return rows.map(({ run_id }) => run_id);
}

const RUNS = 'load_runs';
const ATTEMPTS = 'load_attempts';
const JOINS = 'load_joins';
const DATA = 'load_run_data';
const SAVE = 'save_runs';
const VERSIONS = 'read workflow_versions';

const batches: [string, (size: number) => Promise<BatchItem[]>, string[]][] = [
  [
    'execution requests',
    async (size) => of(await runsAt('PENDING', size), { type: 'execution_requested' }),
    [RUNS, VERSIONS, SAVE],
  ],
  [
    'answers that lead to a next step',
    async (size) => answers(await runsAt('RUNNING', size), { status: 'completed', output: { rows: 3 } }),
    [RUNS, SAVE],
  ],
  ['failures that are retried', async (size) => answers(await runsAt('RUNNING', size), failed), [RUNS, SAVE]],
  [
    'wakes whose backoff has passed',
    async (size) => {
      const attempts = await openAttempts(await runsAt('WAITING', size));
      const at = Date.now() + 60_000;
      return attempts.map(({ run_id: runId, id }) => ({
        runId,
        event: { type: 'woken', stepExecutionId: id, at },
      }));
    },
    [RUNS, SAVE],
  ],
  [
    'cancellations',
    async (size) =>
      of(await runsAt('RUNNING', size), { type: 'cancellation_requested', by: null, reason: null }),
    [RUNS, SAVE],
  ],
  [
    'retries of failed runs',
    async (size) => of(await runsAt('FAILED', size), { type: 'retry_requested' }),
    [RUNS, JOINS, ATTEMPTS, DATA, SAVE],
  ],
  [
    "another producer's requests, each with a plan of its own",
    async (size) => {
      const runIds = await theirRuns(size);
      return runIds.map((runId) => ({
        runId,
        event: { type: 'execution_requested' },
        inlinePlan: theirPlan(runId.slice(0, 100)),
      }));
    },
    [RUNS, 'insert into workflow_versions', VERSIONS, SAVE],
  ],
  [
    'repeats, which change nothing',
    async (size) => of(await runsAt('RUNNING', size), { type: 'execution_requested' }),
    [RUNS],
  ],
  [
    'a mix of everything',
    async (size) => {
      const each = (stage: Parameters<typeof runsAt>[0]) => runsAt(stage, size);
      return [
        ...of(await each('PENDING'), { type: 'execution_requested' }),
        ...(await answers(await each('RUNNING'), { status: 'completed', output: 1 })),
        ...(await answers(await each('RUNNING'), failed)),
        ...of(await each('FAILED'), { type: 'retry_requested' }),
        ...of(await each('RUNNING'), { type: 'cancellation_requested', by: null, reason: null }),
      ];
    },
    [RUNS, VERSIONS, JOINS, ATTEMPTS, DATA, SAVE],
  ],
  [
    'requests that open branches',
    async (size) => {
      const runIds = await scopedRuns(branches, size);
      return stepRequests(runIds);
    },
    [RUNS, SAVE],
  ],
  [
    'requests that start what stands in a branch',
    async (size) => {
      const runIds = await scopedRuns(branches, size);
      await engine.processBatch(await stepRequests(runIds));
      return stepRequests(runIds, 'in-left');
    },
    [RUNS, SAVE],
  ],
  [
    'answers that end items of a map, which opens the next',
    async (size) => {
      const runIds = await scopedRuns(items, size);
      await engine.processBatch(await stepRequests(runIds));
      await engine.processBatch(await stepRequests(runIds, 'each'));
      return answers(runIds, { status: 'completed', output: 1 }, 'each');
    },
    [RUNS, JOINS, ATTEMPTS, SAVE],
  ],
  [
    'requests that settle joins, with what their children came to',
    async (size) => {
      const runIds = await scopedRuns(branches, size);
      await engine.processBatch(await stepRequests(runIds));
      for (const step of ['in-left', 'in-right']) {
        await engine.processBatch(await stepRequests(runIds, step));
        await engine.processBatch(await answers(runIds, { status: 'completed', output: 1 }, step));
      }
      return stepRequests(runIds, 'scoped');
    },
    [RUNS, JOINS, ATTEMPTS, DATA, ATTEMPTS, SAVE],
  ],
  [
    'signals that nobody waits for',
    async (size) =>
      of(await runsAt('RUNNING', size), { type: 'signal_received', name: 'go', signalId: 's', payload: 1 }),
    [RUNS, DATA, SAVE],
  ],
  ['pauses', async (size) => of(await runsAt('RUNNING', size), { type: 'pause_requested' }), [RUNS, SAVE]],
];

describe('the statements of a batch', () => {
  it.each(batches)('of %s are the same for 1, 10 and 100 records', async (_, prepare, expected) => {
    for (const size of SIZES) {
      const items = await prepare(size);
      expect(items.length % size).toBe(0);
      for (const { runId } of items) engine.warmRuns.forget(runId);
      await engine.published.flush();
      engine.database.forget();
      const outcomes = await engine.processBatch(items);
      expect(new Set(outcomes.map(({ outcome }) => outcome)).size).toBe(1);
      const told = engine.database.recorded.map(({ sql }) => tell(sql));
      expect(told, `at ${size}`).toEqual(expected);
    }
  });

  it('of answers are one where the environment has saved their runs last', async () => {
    for (const size of SIZES) {
      const runIds = await runsAt('RUNNING', size);
      const items = await answers(runIds, { status: 'completed', output: { rows: 3 } });
      await engine.published.flush();
      engine.database.forget();
      expect(new Set((await engine.processBatch(items)).map(({ outcome }) => outcome))).toEqual(
        new Set(['decided']),
      );
      expect(
        engine.database.recorded.map(({ sql }) => tell(sql)),
        `at ${size}`,
      ).toEqual([SAVE]);
    }
  });

  it('of a start are one for the run with its outbox row, and for what is published by then', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    await engine.start(workflowId);
    await engine.start(workflowId);
    engine.database.forget();
    await engine.start(workflowId);
    const asked = engine.database.recorded.map(({ sql }) => tell(sql));
    expect(asked).toEqual(['read workflows', 'start_run']);
  });
});

/** Each is a wait for the database. */
const TRIPS: [string, (size: number) => Promise<BatchItem[]>, { cold: number }][] = [
  [
    'answers that end their runs',
    async (size) => {
      const runIds = await runsAt('RUNNING', size);
      await engine.processBatch(await answers(runIds, { status: 'completed', output: 1 }));
      return answers(runIds, { status: 'completed', output: 2 });
    },
    { cold: 2 },
  ],
  [
    'answers that lead to a step that reads the run’s input too',
    async (size) => answers(await runsAt('RUNNING', size), { status: 'completed', output: { rows: 3 } }),
    { cold: 2 },
  ],
  ['failures that are retried', async (size) => answers(await runsAt('RUNNING', size), failed), { cold: 2 }],
];

describe('the round trips of a batch', () => {
  let relay: DatabaseRelay;
  let environment: Environment;
  beforeAll(async () => {
    relay = await startDatabaseRelay(engine.databaseUrl);
    environment = engine.environment({ databaseUrl: relay.url });
  });
  afterAll(() => relay?.close());

  const expectTrips = async (items: readonly BatchItem[], trips: number) => {
    await environment.published.flush();
    relay.count();
    const outcomes = await environment.processBatch(items);
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['decided']));
    expect(relay.count(), `at ${items.length}`).toBe(trips);
  };

  it.each(TRIPS)('of %s, cold', async (_, prepare, { cold }) => {
    for (const size of SIZES) {
      // The first one of a workflow loads its definition.
      const [first, ...items] = (await prepare(size + 1)) as [BatchItem, ...BatchItem[]];
      await environment.processBatch([first]);
      await expectTrips(items, cold);
    }
  });

  it('of answers, step by step, warm', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a', 'b', 'c']));
    const runIds = await Promise.all([1, 2, 3].map(() => engine.start(workflowId)));
    await environment.processBatch(of(runIds, { type: 'execution_requested' }));
    for (const output of [1, 2, 3])
      await expectTrips(await answers(runIds, { status: 'completed', output }), 1);
  });
});

/** Which function a statement calls, or what it does, and to which table. */
function tell(sql: string): string {
  const text = sql.trim().replace(/\s+/g, ' ');
  const [, called] = /^select (?:\* from )?(\w+)\(\$1[^)]*\)$/.exec(text) ?? [];
  if (called !== undefined) return called;
  const writes = text.match(/insert into \w+|update \w+(?= as| set)|delete from \w+/g);
  if (writes !== null) return writes.join(', ');
  if (text === 'begin' || text === 'commit') return text;
  const [, table] = /from (?!unnest)(\w+)/.exec(text) ?? [];
  return `read ${table}`;
}
