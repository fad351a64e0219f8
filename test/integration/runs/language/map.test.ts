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
  });
  await stack.addAgent('echo');
  await stack.addAgent('picky', ({ body }) =>
    JSON.stringify(body.input_data).includes('bad')
      ? { status: 400, body: { code: 'BAD_ITEM', message: 'No' } }
      : { body: body.input_data },
  );
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const mapOf = (step: object, settings: object = {}) => ({
  start_step: 'each',
  steps: {
    each: {
      type: 'map',
      items: '$.workflow_input.items',
      start_step: 'one',
      steps: { one: { retry: [], ...step } },
      ...settings,
    },
  },
});
const picky = { agent_name: 'picky', input_mapping: { item: '$.item' } };

test('the outputs are in the items’ order; no more items are under way than may be', async () => {
  const { runId, ...run } = await stack.run(
    'windowed',
    mapOf(
      { agent_name: 'echo', input_mapping: { item: '$.item.name', index: '$.index' } },
      { max_concurrency: 2 },
    ),
    { items: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name })) },
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: ['a', 'b', 'c', 'd', 'e'].map((item, index) => ({ item, index })),
  });
  expect(await attemptsOf(stack, runId)).toHaveLength(6);
  // Each begins, by being requested, when one of the two before it ends.
  const items = await stack.database.many<{ began: Date; ended: Date }>(
    `select created_at as began, completed_at as ended
       from step_executions where run_id = $1 and scope <> '' order by created_at`,
    [runId],
  );
  const underWay = items.map(
    ({ began }, i) => items.slice(0, i + 1).filter(({ ended }) => ended > began).length,
  );
  expect(underWay).toEqual([1, 2, 2, 2, 2]);
});

test.each([
  ['a count', { tolerated_failures: 2 }],
  ['a percentage', { tolerated_failure_percentage: 50 }],
  ['the larger of both', { tolerated_failures: 2, tolerated_failure_percentage: 1 }],
])('so many items may fail, by %s: their outputs are null', async (what, settings) => {
  const run = await stack.run(`tolerated-by-${what.replaceAll(' ', '-')}`, mapOf(picky, settings), {
    items: ['good', 'bad', 'bad', 'good'],
  });
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: [{ item: 'good' }, null, null, { item: 'good' }],
  });
});

test('one more fails the step, and items that have not begun never begin', async () => {
  const { runId, ...run } = await stack.run(
    'exceeded',
    mapOf(picky, { tolerated_failures: 1, max_concurrency: 1 }),
    { items: ['bad', 'good', 'bad', 'good', 'good'] },
  );
  expect(run).toMatchObject({
    status: 'FAILED',
    error_code: 'TOLERATED_FAILURES_EXCEEDED',
    error_step_id: 'each',
  });
  expect(await attemptsOf(stack, runId)).toEqual([
    'each FAILED TOLERATED_FAILURES_EXCEEDED',
    'each#1/0/one FAILED BAD_ITEM',
    'each#1/1/one COMPLETED',
    'each#1/2/one FAILED BAD_ITEM',
  ]);
});

test('where none may fail, the step fails as the item did, and what is under way is cancelled', async () => {
  await stack.addAgent('silent-but-for-bad', ({ body }) =>
    JSON.stringify(body.input_data).includes('bad')
      ? { status: 400, body: { code: 'BAD_ITEM', message: 'No' } }
      : { status: 202 },
  );
  const { runId, ...run } = await stack.run(
    'none-tolerated',
    mapOf({ ...picky, agent_name: 'silent-but-for-bad' }),
    {
      items: ['good', 'bad'],
    },
  );
  expect(run).toMatchObject({ status: 'FAILED', error_code: 'BAD_ITEM', error_step_id: 'each' });
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual([
    'each FAILED BAD_ITEM',
    'each#1/0/one CANCELLED',
    'each#1/1/one FAILED BAD_ITEM',
  ]);
});

test.each([
  ['no items', [], 'COMPLETED', [], null],
  ['what is no list', 'a', 'FAILED', null, 'EXPRESSION_ERROR'],
  ['nothing at all', undefined, 'FAILED', null, 'EXPRESSION_ERROR'],
])('%s', async (what, items, status, output_data, error_code) => {
  const run = await stack.run(`items-${what.replaceAll(' ', '-')}`, mapOf(picky), { items });
  expect(run).toMatchObject({ status, output_data, error_code });
});

test('maps, branches and maps again: each step sees its own item, and the steps around it', async () => {
  const { runId, ...run } = await stack.run(
    'nested',
    {
      start_step: 'before',
      steps: {
        before: { type: 'pass', result: 'B', next_step: 'rows' },
        rows: {
          type: 'map',
          items: '$.workflow_input.rows',
          max_concurrency: 1,
          start_step: 'row',
          steps: {
            row: { type: 'pass', result: { name: '$.item.name', at: '$.index' }, next_step: 'sides' },
            sides: {
              type: 'parallel',
              branches: {
                cells: {
                  start_step: 'cells-of',
                  steps: {
                    'cells-of': {
                      type: 'map',
                      items: '$.item.cells',
                      start_step: 'cell',
                      steps: {
                        cell: {
                          agent_name: 'echo',
                          input_mapping: {
                            cell: '$.item',
                            at: '$.index',
                            row: '$.row.output_data.name',
                            before: '$.before.output_data',
                          },
                        },
                      },
                    },
                  },
                },
                item: { start_step: 'of-row', steps: { 'of-row': { type: 'pass', result: '$.item.name' } } },
              },
            },
          },
        },
      },
    },
    {
      rows: [
        { name: 'r0', cells: ['x', 'y'] },
        { name: 'r1', cells: [] },
      ],
    },
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: [
      {
        cells: [
          { cell: 'x', at: 0, row: 'r0', before: 'B' },
          { cell: 'y', at: 1, row: 'r0', before: 'B' },
        ],
        item: 'r0',
      },
      { cells: [], item: 'r1' },
    ],
  });
  expect(await attemptsOf(stack, runId)).toContain('rows#1/0/sides#1/cells/cells-of#1/1/cell COMPLETED');
});

test('an item that is repeated by a policy, or catches its own error, is one item', async () => {
  await stack.addAgent('flaky', ({ body, count }) =>
    count === 1 && JSON.stringify(body.input_data).includes('bad')
      ? { status: 503, body: { code: 'BUSY', message: 'Not now' } }
      : { body: body.input_data },
  );
  const { runId, ...run } = await stack.run(
    'item-repeated',
    mapOf({
      agent_name: 'flaky',
      input_mapping: { item: '$.item' },
      retry: { max_attempts: 2, initial_interval_ms: 10 },
    }),
    { items: ['bad', 'good'] },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: [{ item: 'bad' }, { item: 'good' }] });
  expect(await attemptsOf(stack, runId)).toContain('each#1/0/one attempt 2 COMPLETED');
});
