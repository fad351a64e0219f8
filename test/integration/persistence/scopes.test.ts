import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { AgentOutcome } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { Signal } from '../../../shared/engine/state.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import { type AnswerOf, driveRun, openSteps } from '../../support/drive-run.ts';
import { type EngineHarness, openEngineHarness } from '../../support/engine-harness.ts';
import { join } from '../../support/engine-states.ts';

/** What branches, items, loops and signals leave in the tables, and what decisions read of it. */

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());

const completed = (output: Json): AgentOutcome => ({ status: 'completed', output });
const failed = (code: string): AgentOutcome => ({
  status: 'failed',
  error: { code, message: 'no', retryable: false },
});
/** Answers with what it was given. */
const echo: AnswerOf = ({ input_data }) => completed(input_data);
const agent = (input_mapping: object = {}, given: object = {}) => ({
  agent_name: 'x',
  input_mapping,
  ...given,
});

async function started(start_step: string, steps: object, input: Json = {}) {
  const { workflowId } = await engine.registerWorkflow({
    name: `w-${randomUUID()}`,
    start_step,
    steps,
    retry: [],
  });
  const runId = await engine.start(workflowId, { input });
  await engine.decide(runId, { type: 'execution_requested' });
  return runId;
}

const rowsOf = (table: string, runId: string, order: string) =>
  engine.database.many<Record<string, unknown>>(
    `select * from ${table} where run_id = $1 order by ${order}`,
    [runId],
  );

const eachItem = {
  type: 'map',
  items: '$.workflow_input.items',
  start_step: 'each',
  steps: { each: agent({ item: '$.item', index: '$.index' }) },
};

describe('a map', () => {
  it('keeps its items in rows, counts them in one, and gives their outputs in order', async () => {
    const runId = await started('m', { m: { ...eachItem, max_concurrency: 2 } }, { items: ['a', 'b', 'c'] });
    expect(await rowsOf('scope_children', runId, 'index')).toMatchObject([
      { path: 'm#1', child: '0', index: 0, status: 'PENDING', input: 'a' },
      { path: 'm#1', child: '1', index: 1, status: 'PENDING', input: 'b' },
      { path: 'm#1', child: '2', index: 2, status: 'PENDING', input: 'c' },
    ]);
    expect(await rowsOf('scopes', runId, 'path')).toMatchObject([
      {
        path: 'm#1',
        step_id: 'm',
        total: 3,
        needed: 3,
        tolerated: 0,
        started: 2,
        waiting: 0,
        next_waiting: null,
        completed: 0,
        is_over: false,
      },
    ]);
    expect((await openSteps(engine, runId)).map(({ scope }) => scope)).toEqual(['', 'm#1/0', 'm#1/1']);

    await driveRun(engine, runId, echo);
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: ['a', 'b', 'c'].map((item, index) => ({ item, index })),
    });
    expect(await rowsOf('scopes', runId, 'path')).toMatchObject([
      { started: 3, completed: 3, failed: 0, is_over: true, failure_code: null },
    ]);
    expect(await rowsOf('scope_children', runId, 'index')).toMatchObject(
      ['a', 'b', 'c'].map((item, index) => ({ status: 'COMPLETED', input: item, output: { item, index } })),
    );
  });

  it('opens ten thousand items by one statement', async () => {
    const items = Array.from({ length: 10_000 }, (_, i) => i);
    const { workflowId } = await engine.registerWorkflow({
      name: `w-${randomUUID()}`,
      start_step: 'm',
      steps: { m: eachItem },
    });
    const runId = await engine.start(workflowId, { input: { items } });
    engine.database.forget();
    expect(await engine.decide(runId, { type: 'execution_requested' })).toMatchObject({ outcome: 'decided' });
    expect(engine.database.recorded.filter(({ sql }) => sql.includes('save_runs'))).toHaveLength(1);
    const counted = await engine.database.one<{ children: number }>(
      'select count(*) as children from scope_children where run_id = $1',
      [runId],
    );
    expect(counted).toEqual({ children: 10_000 });
  });

  it('ends with the item that is one too many, and cancels what is open inside, at any depth', async () => {
    const inner = {
      type: 'map',
      items: '$.item',
      start_step: 'deep',
      steps: { deep: agent({ i: '$.item' }) },
    };
    const runId = await started(
      'm',
      { m: { type: 'map', items: '$.workflow_input', start_step: 'inner', steps: { inner } } },
      [[1, 2], [3]],
    );
    await driveRun(engine, runId, ({ scope }) => (scope.startsWith('m#1/1/') ? failed('BAD') : null));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'FAILED', error_code: 'BAD' });
    const attempts = await engine.attemptRows(runId);
    expect(attempts.map(({ step_id, scope, status }) => [step_id, scope, status])).toEqual([
      ['m', '', 'FAILED'],
      ['inner', 'm#1/0', 'CANCELLED'],
      ['inner', 'm#1/1', 'FAILED'],
      ['deep', 'm#1/0/inner#1/0', 'CANCELLED'],
      ['deep', 'm#1/0/inner#1/1', 'CANCELLED'],
      ['deep', 'm#1/1/inner#1/0', 'FAILED'],
    ]);
  });

  it('goes on with the items that did not complete, and only with them, when its run is retried', async () => {
    const runId = await started('m', { m: eachItem }, { items: ['a', 'b', 'c'] });
    await driveRun(engine, runId, (step) => (step.scope === 'm#1/1' ? failed('BAD') : echo(step)));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'FAILED' });

    expect(await engine.decide(runId, { type: 'retry_requested' })).toEqual({
      outcome: 'decided',
      status: 'RUNNING',
    });
    const asked: string[] = [];
    await driveRun(engine, runId, (step) => {
      asked.push(step.scope);
      return echo(step);
    });
    expect(asked).not.toContain('m#1/0');
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: ['a', 'b', 'c'].map((item, index) => ({ item, index })),
    });
  });

  it('goes on with no more items at once than it lets, at any depth, when its run is retried', async () => {
    const inner = {
      type: 'map',
      items: '$.item',
      max_concurrency: 1,
      start_step: 'deep',
      steps: { deep: agent({ i: '$.item' }) },
    };
    const outer = {
      type: 'map',
      items: '$.workflow_input',
      max_concurrency: 2,
      start_step: 'inner',
      steps: { inner },
    };
    const items = [1, 2, 3, 4, 5].map((n) => [n * 10, n * 10 + 1]);
    const runId = await started('m', { m: { ...outer, tolerated_failures: 4 } }, items);
    await driveRun(engine, runId, (step) => (step.scope.endsWith('/0') ? failed('BAD') : echo(step)));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'FAILED' });

    expect(await engine.decide(runId, { type: 'retry_requested' })).toMatchObject({ status: 'RUNNING' });
    let most = 0;
    const going = new Map<string, number>();
    await driveRun(
      engine,
      runId,
      (step) => {
        const [place = ''] = /^m#1\/\d+/.exec(step.scope) ?? [];
        going.set(place, (going.get(place) ?? 0) + 1);
        return echo(step);
      },
      async () => {
        const open = await engine.database.many<{ place: string; n: number }>(
          `select substr(scope, 1, 5) as place, count(*)::int as n from step_executions
          where run_id = $1 and step_id = 'deep' and status in ('PENDING', 'RUNNING') group by 1`,
          [runId],
        );
        most = Math.max(most, open.length);
        for (const { n } of open) expect(n).toBe(1);
      },
    );
    expect(most).toBe(2);
    expect(going.size).toBe(5);
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: items.map((pair) => pair.map((i) => ({ i }))),
    });
    expect(await rowsOf('scopes', runId, 'path')).toMatchObject(
      Array(6).fill({ waiting: 0, next_waiting: null, is_over: true }),
    );
  });

  it('goes back to a step with the variables and the error that it was entered with, time and again', async () => {
    const work = {
      agent_name: 'echo',
      input_mapping: { now: '$.variables.left[0]', later: '$.variables.left[1:]', error: '$.error.code' },
      assign: { left: '$.output.later', last: '$.output.now' },
      next_step: 'is_more',
    };
    const steps = {
      breaks: { ...agent(), catch: [{ next_step: 'work' }] },
      work,
      is_more: {
        type: 'choice',
        choices: [{ variable: '$.variables.left[0]', is_present: true, next_step: 'work' }],
        default_next_step: 'wide',
      },
      wide: {
        type: 'map',
        items: '$.workflow_input.once',
        start_step: 'inside',
        steps: { inside: agent({ last: '$.variables.last', error: '$.error.code' }) },
        assign: { last: 'changed' },
        next_step: 'fails',
      },
      fails: { ...agent({ last: '$.variables.last' }), catch: [{ next_step: 'done' }] },
      done: { type: 'succeed', result: ['$.variables.last', '$.error.code'] },
    };
    const runId = await started('breaks', steps, { left: ['a', 'b', 'c'], once: ['x'] });
    const asked: unknown[] = [];
    const answer = (step: Parameters<typeof echo>[0]) => {
      asked.push([step.step_id, step.input_data]);
      if (step.step_id === 'breaks') return failed('FIRST');
      return step.step_id === 'fails' ? failed('BAD') : echo(step);
    };
    const again = async (fromStep: string) => {
      asked.splice(0);
      expect(await engine.decide(runId, { type: 'retry_requested', fromStep })).toMatchObject({
        status: 'RUNNING',
      });
      await driveRun(engine, runId, answer);
      expect(await engine.runRow(runId)).toMatchObject({
        status: 'COMPLETED',
        output_data: ['changed', 'BAD'],
      });
      return asked;
    };
    await driveRun(engine, runId, answer);
    const lastVisit = ['work', { now: 'c', later: [], error: 'FIRST' }];
    const inside = ['inside', { last: 'c', error: 'FIRST' }];
    const fails = ['fails', { last: 'changed' }];
    expect(asked.slice(3)).toEqual([lastVisit, inside, fails]);
    expect(await again('work')).toEqual([lastVisit, inside, fails]);
    expect(await again('inside')).toEqual([inside, fails]);
    expect(await again('inside')).toEqual([inside, fails]);
    expect(await again('fails')).toEqual([fails]);
    expect(await again('work')).toEqual([lastVisit, inside, fails]);
  });

  it('goes back to one item’s step, with another input', async () => {
    const runId = await started('m', { m: eachItem }, { items: ['a', 'b'] });
    await driveRun(engine, runId, echo);
    const event = {
      type: 'retry_requested',
      fromStep: 'each',
      fromScope: 'm#1/1',
      inputData: 'new',
    } as const;
    expect(await engine.decide(runId, event)).toEqual({ outcome: 'decided', status: 'RUNNING' });
    expect(await engine.runRow(runId)).toMatchObject({ revisits: true });
    await driveRun(engine, runId, echo);
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: [{ item: 'a', index: 0 }, 'new'],
    });
    const attempts = await engine.attemptRows(runId);
    expect(attempts.map(({ step_id, scope, visit, attempt }) => [step_id, scope, visit, attempt])).toEqual([
      ['m', '', 1, 1],
      ['each', 'm#1/0', 1, 1],
      ['each', 'm#1/1', 1, 1],
      ['m', '', 1, 2],
      ['each', 'm#1/1', 2, 1],
    ]);
  });
});

describe('branches', () => {
  it('have their own variables and errors, and see those around them', async () => {
    const runId = await started(
      'both',
      {
        both: {
          type: 'parallel',
          branches: {
            left: {
              start_step: 'set',
              steps: {
                set: agent({}, { assign: { side: 'left' }, next_step: 'left-sees' }),
                'left-sees': agent({ mine: '$.variables' }),
              },
            },
            'right/#': {
              start_step: 'breaks',
              steps: {
                breaks: agent({}, { catch: [{ codes: ['BAD'], next_step: 'right-sees' }] }),
                'right-sees': agent({ mine: '$.variables', code: '$.error.code' }),
              },
            },
          },
        },
      },
      { n: 1 },
    );
    await driveRun(engine, runId, (step) => (step.step_id === 'breaks' ? failed('BAD') : echo(step)));
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: {
        left: { mine: { n: 1, side: 'left' } },
        'right/#': { mine: { n: 1 }, code: 'BAD' },
      },
    });
    expect(await rowsOf('scope_data', runId, 'scope')).toEqual([
      { run_id: runId, scope: 'both#1/left', variables: { n: 1, side: 'left' }, error: null },
      {
        run_id: runId,
        scope: 'both#1/right%2F%23',
        variables: null,
        error: { code: 'BAD', message: 'no', step: 'breaks', attempt: 1 },
      },
    ]);
  });
});

describe('a loop', () => {
  it('counts its visits and reads the latest output', async () => {
    const runId = await started(
      'count',
      {
        count: agent({ n: '$.variables.n' }, { assign: { n: '$.output' }, next_step: 'enough' }),
        enough: {
          type: 'choice',
          choices: [{ variable: '$.count.output_data', numeric_less_than: 3, next_step: 'count' }],
          default_next_step: 'end',
        },
        end: { type: 'succeed' },
      },
      { n: 0 },
    );
    await driveRun(engine, runId, ({ input_data }) => completed((input_data as { n: number }).n + 1));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'COMPLETED', steps_started: 7 });
    const counts = (await engine.attemptRows(runId)).filter(({ step_id }) => step_id === 'count');
    expect(counts.map(({ visit, output_data }) => [visit, output_data])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });
});

describe('a signal', () => {
  const waits = {
    wait: { type: 'signal', signal: 'go', next_step: 'after' },
    after: agent({ got: '$.wait.output_data' }),
  };
  const go = (signalId: string, payload: Json) =>
    ({ type: 'signal_received', name: 'go', signalId, payload }) as const;

  it('that came early is kept, counts once, and is taken by the step that waits for it', async () => {
    const runId = await started('first', { first: agent({}, { next_step: 'wait' }), ...waits });
    expect(await engine.decide(runId, go('s-1', 1))).toEqual({ outcome: 'decided', status: 'RUNNING' });
    expect(await engine.decide(runId, go('s-1', 2))).toEqual({ outcome: 'refused', code: 'SIGNAL_REPEATED' });
    await engine.decide(runId, go('s-2', 3));
    await engine.answer(runId, completed(null));
    expect(await rowsOf('signals', runId, 'id')).toMatchObject([
      { id: 's-1', payload: 1, taken_by: expect.any(String) },
      { id: 's-2', payload: 3, taken_by: null },
    ]);
    await driveRun(engine, runId, echo);
    expect(await engine.runRow(runId)).toMatchObject({ status: 'COMPLETED', output_data: { got: 1 } });
  });

  it('settles the one that has waited longest', async () => {
    const each = { start_step: 'wait', steps: { wait: { type: 'signal', signal: 'go' } } };
    const runId = await started('m', { m: { type: 'map', items: '$.workflow_input', ...each } }, [1, 2, 3]);
    await driveRun(engine, runId, echo);
    await engine.processBatch([
      { runId, event: go('s-1', 'first') },
      { runId, event: go('s-2', 'second') },
    ]);
    await engine.decide(runId, go('s-3', null));
    await driveRun(engine, runId, echo);
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: ['first', 'second', null],
    });
  });
});

describe('guards', () => {
  const outbox = () => ({ id: randomUUID(), messages: [] });
  const save = (changes: Partial<typeof NO_CHANGES>) =>
    engine.database.transaction((statements) =>
      saveChanges(statements, { ...NO_CHANGES, ...changes }, outbox()),
    );
  const signal = (given: Partial<Signal>): Signal => ({
    id: 's-1',
    name: 'go',
    payload: 1,
    receivedAt: 0,
    takenBy: null,
    ...given,
  });
  const opened = join({ path: 'm#1', stepId: 'm' });

  it('a signal is kept once and taken once', async () => {
    const runId = `run-${randomUUID()}`;
    await save({ signalsKept: [{ runId, signal: signal({}) }] });
    await expect(save({ signalsKept: [{ runId, signal: signal({}) }] })).rejects.toMatchObject({
      code: 'UNIQUE_VIOLATION',
      constraint: 'signals_default_pkey',
    });
    await save({ signalsTaken: [{ runId, signal: signal({ takenBy: 'a-1' }) }] });
    await expect(
      save({ signalsTaken: [{ runId, signal: signal({ takenBy: 'a-2' }) }] }),
    ).rejects.toMatchObject({ code: 'STALE_DECISION' });
    expect(await rowsOf('signals', runId, 'id')).toMatchObject([{ taken_by: 'a-1' }]);
  });

  it('a join is opened once, and a child counts once in it', async () => {
    const runId = `run-${randomUUID()}`;
    await save({ joins: [{ runId, join: opened, before: null }] });
    await expect(save({ joins: [{ runId, join: opened, before: null }] })).rejects.toMatchObject({
      code: 'UNIQUE_VIOLATION',
      constraint: 'scopes_default_pkey',
    });
    const counted = { ...opened, completed: 1 };
    await save({ joins: [{ runId, join: counted, before: opened }] });
    await expect(save({ joins: [{ runId, join: counted, before: opened }] })).rejects.toMatchObject({
      code: 'STALE_DECISION',
    });
    expect(await rowsOf('scopes', runId, 'path')).toMatchObject([{ completed: 1, failed: 0 }]);
  });

  it('what a child was given, and a scope has set, stays when it goes on', async () => {
    const runId = `run-${randomUUID()}`;
    const child = {
      scope: 'm#1/0',
      index: 0,
      nextWaiting: null,
      input: 'given',
      output: null,
      error: null,
    } as const;
    await save({
      children: [{ runId, child: { ...child, status: 'PENDING' } }],
      data: [{ runId, scope: '', since: 1, variables: { n: 1 }, isWhole: false }],
    });
    await save({
      children: [{ runId, child: { ...child, status: 'COMPLETED', input: null, output: 'got' } }],
      data: [{ runId, scope: '', since: 2, error: { code: 'X' }, isWhole: false }],
    });
    expect(await rowsOf('scope_children', runId, 'index')).toMatchObject([
      { status: 'COMPLETED', input: 'given', output: 'got' },
    ]);
    expect(await rowsOf('scope_data', runId, 'scope')).toMatchObject([
      { variables: { n: 1 }, error: { code: 'X' } },
    ]);
    await save({
      data: [
        { runId, scope: '', since: 3, isWhole: true },
        { runId, scope: '', since: 4, variables: { n: 2 }, isWhole: false },
        { runId, scope: '', since: 5, variables: { n: 3 }, isWhole: false },
      ],
    });
    expect(await rowsOf('scope_data', runId, 'scope')).toMatchObject([{ variables: { n: 3 }, error: null }]);
    await save({ data: [{ runId, scope: '', since: 6, isWhole: true }] });
    expect(await rowsOf('scope_data', runId, 'scope')).toEqual([]);
    expect(await rowsOf('scope_history', runId, 'since')).toMatchObject([
      { variables: { n: 1 }, error: null, is_whole: false },
      { variables: null, error: { code: 'X' }, is_whole: false },
      { variables: null, error: null, is_whole: true },
      { variables: { n: 2 } },
      { variables: { n: 3 } },
      { variables: null, error: null, is_whole: true },
    ]);
  });
});
