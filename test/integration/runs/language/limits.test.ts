import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

let stack: LanguageStack;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    variables: { MAX_STEPS_PER_RUN: '12', MAX_MAP_ITEMS: '6', MAX_RUN_DEPTH: '2' },
  });
  await stack.addAgent('large', () => ({ body: 'x'.repeat(100_000) }));
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const endless = {
  a: { type: 'pass', next_step: 'more' },
  more: {
    type: 'choice',
    choices: [{ variable: '$.workflow_input.stop', is_present: true, next_step: 'end' }],
    default_next_step: 'a',
  },
  end: { type: 'succeed' },
};
const told = { type: 'pass', result: ['$.error.code', '$.error.message'] };
const caught = { catch: [{ next_step: 'told' }] };

test('a loop ends with the steps that a run may start', async () => {
  const { runId, ...run } = await stack.run('endless', { start_step: 'a', steps: endless });
  expect(run).toMatchObject({
    status: 'FAILED',
    error_code: 'STEP_LIMIT',
    error_message: expect.stringMatching(/: The run has started 13 steps; the limit is 12$/),
  });
  expect(await attemptsOf(stack, runId)).toHaveLength(13);
});

test('that can be caught', async () => {
  const run = await stack.run('endless-caught', {
    start_step: 'a',
    steps: { ...endless, a: { ...endless.a, ...caught }, told },
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: ['STEP_LIMIT', expect.any(String)] });
});

test('steps of items count apart, each item for itself', async () => {
  const item = (steps: object) => ({
    type: 'map',
    items: '$.workflow_input.items',
    start_step: 'a',
    steps,
    ...caught,
  });
  const sequence = {
    a: { type: 'pass', next_step: 'b' },
    b: { type: 'pass', next_step: 'c' },
    c: { type: 'pass', result: '$.index' },
  };
  const [many, looping] = await Promise.all([
    stack.run(
      'many-items',
      { start_step: 'each', steps: { each: item(sequence), told } },
      { items: [1, 2, 3, 4, 5, 6] },
    ),
    stack.run('looping-item', { start_step: 'each', steps: { each: item(endless), told } }, { items: [1] }),
  ]);
  expect(many).toMatchObject({ status: 'COMPLETED', output_data: [0, 1, 2, 3, 4, 5] });
  expect(looping).toMatchObject({ status: 'COMPLETED', output_data: ['STEP_LIMIT', expect.any(String)] });
});

test('a map has so many items, and no more', async () => {
  const each = {
    type: 'map',
    items: '$.workflow_input.items',
    start_step: 'a',
    steps: { a: { type: 'pass' } },
    ...caught,
  };
  const run = await stack.run(
    'items',
    { start_step: 'each', steps: { each, told } },
    { items: [1, 2, 3, 4, 5, 6, 7] },
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: ['DATA_LIMIT', 'Step "each" has 7 items; the limit is 6'],
  });
});

test('workflows start workflows so deep, and no deeper', async () => {
  const call = { type: 'workflow', workflow_name: 'recursive', ...caught, next_step: 'passed-on' };
  const passedOn = { type: 'pass', result: '$.call.output_data' };
  const run = await stack.run('recursive', {
    start_step: 'call',
    steps: { call, 'passed-on': passedOn, told },
  });
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: ['NESTING_LIMIT', 'Workflows start workflows 3 deep; the limit is 2'],
  });
});

test.each([
  [
    'branches',
    {
      type: 'parallel',
      branches: Object.fromEntries(
        ['one', 'two', 'three'].map((name) => [
          name,
          { start_step: name, steps: { [name]: { agent_name: 'large' } } },
        ]),
      ),
    },
  ],
  [
    'items',
    {
      type: 'map',
      items: '$.workflow_input.items',
      max_concurrency: 1,
      start_step: 'one',
      steps: { one: { agent_name: 'large' } },
    },
  ],
])('the outputs of %s are so large together, and no larger', async (what, step) => {
  const run = await stack.run(
    `large-${what}`,
    { start_step: 'all', steps: { all: { ...step, ...caught }, told } },
    { items: [1, 2, 3, 4, 5, 6] },
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: [
      'DATA_LIMIT',
      'The outputs inside all#1 are larger than the limit of 262144 bytes of JSON: 300006',
    ],
  });
});

test('a run has its time, whatever is open in it; its children are cancelled', async () => {
  await stack.client.createWorkflow({
    name: 'slow-child',
    start_step: 'w',
    steps: { w: { type: 'wait', seconds: 3_600 } },
  });
  const { runId, ...run } = await stack.run('timed-run', {
    timeout_seconds: 3,
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          child: { start_step: 'call', steps: { call: { type: 'workflow', workflow_name: 'slow-child' } } },
          wait: { start_step: 'pause', steps: { pause: { type: 'wait', seconds: 3_600 } } },
        },
      },
    },
  });
  expect(run).toMatchObject({
    status: 'FAILED',
    error_code: 'TIMEOUT',
    error_step_id: null,
    error_message: expect.stringMatching(/^The run did not end by 2.*: its limit is 3000 ms$/),
  });
  const child = await stack.database.one<{ run_id: string }>(
    'select run_id from workflow_runs where parent_run_id = $1',
    [runId],
  );
  expect((await stack.client.ended(child.run_id)).status).toBe('CANCELLED');
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
    'both CANCELLED',
    'both#1/child/call CANCELLED',
    'both#1/wait/pause CANCELLED',
  ]);
});
