import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

let stack: LanguageStack;
/** Until then the agent `breakable` refuses what says `bad`. */
let isMended = false;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
  });
  await stack.addAgent('echo');
  await stack.addAgent('breakable', ({ body }) =>
    isMended || !JSON.stringify(body.input_data).includes('bad')
      ? { body: body.input_data }
      : { status: 400, body: { code: 'NO_DISK', message: 'Full' } },
  );
});
beforeEach(() => {
  isMended = false;
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const goesOn = '202 RUNNING';
const calls = (runId: string) =>
  stack.agents.calls.filter(({ body }) => body.run_id === runId).map(({ body }) => body.step_id);

/** The list's items, one after the other, by an agent that is called with the item. */
const each = {
  type: 'map',
  items: '$.workflow_input.items',
  max_concurrency: 1,
  start_step: 'one',
  steps: {
    one: { agent_name: 'breakable', input_mapping: { item: '$.item' }, retry: [], next_step: 'two' },
    two: { type: 'pass', result: '$.one.output_data.item' },
  },
};

describe('a failed run goes on where it failed', () => {
  test('in a branch: what other branches did is kept', async () => {
    const { runId, ...run } = await stack.run('in-a-branch', {
      start_step: 'both',
      steps: {
        both: {
          type: 'parallel',
          branches: {
            good: { start_step: 'g', steps: { g: { agent_name: 'echo', input_mapping: { g: 1 } } } },
            bad: {
              start_step: 'w',
              steps: {
                w: { type: 'wait', seconds: 0.5, assign: { word: 'bad' }, next_step: 'b' },
                b: { agent_name: 'breakable', input_mapping: { b: '$.variables.word' }, retry: [] },
              },
            },
          },
          next_step: 'after',
        },
        after: { type: 'pass', result: '$.both.output_data' },
      },
    });
    expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'both' });
    // It fails again, and then goes on.
    expect(await stack.retry(runId)).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK' });
    isMended = true;
    expect(await stack.retry(runId)).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { good: { g: 1 }, bad: { b: 'bad' } },
    });
    expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
      'after COMPLETED',
      'both FAILED NO_DISK',
      'both attempt 2 FAILED NO_DISK',
      'both attempt 3 COMPLETED',
      'both#1/bad/b FAILED NO_DISK',
      'both#1/bad/b attempt 2 FAILED NO_DISK',
      'both#1/bad/b attempt 3 COMPLETED',
      'both#1/bad/w COMPLETED',
      'both#1/good/g COMPLETED',
    ]);
    expect(calls(runId).toSorted()).toEqual(['b', 'b', 'b', 'g']);
  });

  test('in an item: the items before it are kept, those after it begin then', async () => {
    const { runId, ...run } = await stack.run(
      'in-an-item',
      { start_step: 'each', steps: { each } },
      { items: ['a', 'bad', 'c', 'd'] },
    );
    expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'each' });
    isMended = true;
    expect(await stack.retry(runId)).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: ['a', 'bad', 'c', 'd'],
    });
    expect(calls(runId)).toEqual(['one', 'one', 'one', 'one', 'one']);
    expect(await attemptsOf(stack, runId)).toContain('each#1/1/one attempt 2 COMPLETED');
  });

  test('in an item of a map in a branch of a map’s item, with what the item is to be instead', async () => {
    const { runId, ...run } = await stack.run(
      'deep-inside',
      {
        start_step: 'rows',
        steps: {
          rows: {
            type: 'map',
            items: '$.workflow_input.rows',
            max_concurrency: 1,
            start_step: 'sides',
            steps: {
              sides: {
                type: 'parallel',
                branches: {
                  cells: { start_step: 'each', steps: { each: { ...each, items: '$.item' } } },
                },
                output_mapping: '$.output.cells',
              },
            },
          },
        },
      },
      { rows: [['a'], ['b', 'bad', 'c'], ['d']] },
    );
    expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'rows' });
    const from_scope = 'rows#1/1/sides#1/cells/each#1/1';
    expect(
      await stack.retry(runId, { from_step: 'one', from_scope, input_data: { item: 'better' } }),
    ).toEqual(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: [['a'], ['b', 'better', 'c'], ['d']],
    });
    expect(calls(runId)).toHaveLength(6);
  });

  test('in a child of an item', async () => {
    await stack.client.createWorkflow({
      name: 'item-child',
      start_step: 'c',
      steps: { c: { agent_name: 'breakable', input_mapping: { item: '$.workflow_input.item' }, retry: [] } },
    });
    const call = { type: 'workflow', workflow_name: 'item-child', input_mapping: { item: '$.item' } };
    const { runId, ...run } = await stack.run(
      'in-a-child',
      { start_step: 'each', steps: { each: { ...each, start_step: 'call', steps: { call } } } },
      { items: ['a', 'bad', 'c'] },
    );
    expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'each' });
    isMended = true;
    expect(await stack.retry(runId)).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: [{ item: 'a' }, { item: 'bad' }, { item: 'c' }],
    });
    const children = await stack.database.many('select status from workflow_runs where parent_run_id = $1', [
      runId,
    ]);
    expect(children).toEqual([{ status: 'COMPLETED' }, { status: 'COMPLETED' }, { status: 'COMPLETED' }]);
  });

  test('where it was cancelled, in whatever was open', async () => {
    let isAnswering = false;
    await stack.addAgent('answering-later', ({ body }) =>
      isAnswering ? { body: body.input_data } : { status: 202 },
    );
    const one = { agent_name: 'answering-later', input_mapping: { item: '$.item' } };
    const runId = await stack.start(
      'was-cancelled',
      {
        start_step: 'both',
        steps: {
          both: {
            type: 'parallel',
            branches: {
              items: {
                start_step: 'each',
                steps: { each: { ...each, max_concurrency: 2, steps: { one } } },
              },
              word: { start_step: 'word-step', steps: { 'word-step': { type: 'signal', signal: 'word' } } },
            },
          },
        },
      },
      { items: ['a', 'b', 'c'] },
    );
    await eventually(
      'all that can be open',
      () => attemptsOf(stack, runId),
      (seen) => seen.filter((attempt) => attempt.endsWith(' RUNNING')).length === 5,
    );
    await stack.cancel(runId);
    isAnswering = true;
    expect(await stack.retry(runId)).toBe(goesOn);
    await stack.signal(runId, 'word', 'yes');
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { items: [{ item: 'a' }, { item: 'b' }, { item: 'c' }], word: 'yes' },
    });
  });
});

describe('a run goes back', () => {
  const three = (second: object = {}) => ({
    start_step: 'a',
    steps: {
      a: { agent_name: 'echo', input_mapping: { from: '$.workflow_input.from' }, next_step: 'b' },
      b: {
        agent_name: 'breakable',
        input_mapping: { a: '$.a.output_data.from' },
        retry: [],
        next_step: 'c',
        ...second,
      },
      c: { agent_name: 'echo', input_mapping: { b: '$.b.output_data' } },
    },
  });

  test('to a step that completed, with another input', async () => {
    const { runId, ...run } = await stack.run('to-a-step', three(), { from: 'here' });
    expect(run).toMatchObject({ status: 'COMPLETED', output_data: { b: { a: 'here' } } });
    expect(await stack.retry(runId)).toBe('409 RUN_COMPLETED');
    expect(await stack.retry(runId, { from_step: 'd' })).toBe('400');
    expect(await stack.retry(runId, { from_step: 'b', input_data: { a: 'there' } })).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { b: { a: 'there' } },
    });
    expect(await attemptsOf(stack, runId)).toEqual([
      'a COMPLETED',
      'b COMPLETED',
      'c COMPLETED',
      'b visit 2 COMPLETED',
      'c visit 2 COMPLETED',
    ]);
    expect(calls(runId)).toEqual(['a', 'b', 'c', 'b', 'c']);
  });

  test('to a step of one item, and what follows the items is done again', async () => {
    const { runId, ...run } = await stack.run(
      'to-an-item',
      {
        start_step: 'each',
        steps: {
          each: { ...each, next_step: 'after' },
          after: { type: 'pass', result: '$.each.output_data' },
        },
      },
      { items: ['a', 'b', 'c'] },
    );
    expect(run).toMatchObject({ status: 'COMPLETED', output_data: ['a', 'b', 'c'] });
    const given = { from_step: 'one', from_scope: 'each#1/1', input_data: { item: 'B' } };
    expect(await stack.retry(runId, given)).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: ['a', 'B', 'c'],
    });
    expect(calls(runId)).toHaveLength(4);
  });

  test('not while it is open', async () => {
    const runId = await stack.start('still-open', {
      start_step: 'a',
      steps: { a: { type: 'signal', signal: 'word' } },
    });
    await stack.client.stepsWhen(runId, ([step]) => step?.status === 'RUNNING');
    expect(await stack.retry(runId, { from_step: 'a' })).toBe('409 RUN_OPEN');
    await stack.signal(runId, 'word', 'yes');
    await stack.client.ended(runId);
  });

  test('on a newer version, whose steps are compatible', async () => {
    const name = 'versions';
    const { runId, ...run } = await stack.run(name, three(), { from: 'bad' });
    expect(run).toMatchObject({ status: 'FAILED', error_step_id: 'b' });
    const { a, ...others } = three().steps;
    await stack.client.createWorkflow({
      name,
      start_step: 'first',
      steps: { first: a, ...others, b: { ...others.b, input_mapping: {} } },
    });
    expect(await stack.retry(runId, { version: 2 })).toBe('409 INCOMPATIBLE_VERSION');
    const mended = three({ agent_name: 'echo', output_mapping: { mended: '$.output.a' } });
    await stack.client.createWorkflow({ name, ...mended });
    expect(await stack.retry(runId, { version: 3 })).toBe(goesOn);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      workflow_id: `wf-${name}-3`,
      output_data: { b: { mended: 'bad' } },
    });
    expect(calls(runId)).toEqual(['a', 'b', 'b', 'c']);
  });
});
