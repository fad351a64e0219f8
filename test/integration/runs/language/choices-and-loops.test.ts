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
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

test('the first rule that holds says what follows, else the default, else NO_CHOICE_MATCHED', async () => {
  const input = '$.workflow_input';
  const choices = [
    { variable: `${input}.count`, numeric_greater_than: 10, next_step: 'many' },
    {
      and: [
        { variable: `${input}.count`, is_present: true },
        { not: { variable: `${input}.count`, numeric_equals_path: `${input}.expected` } },
      ],
      next_step: 'other',
    },
    { variable: `${input}.name`, string_matches: 'data-*.csv', next_step: 'file' },
  ];
  const result = (type: string) => ({ type: 'pass', result: type });
  const steps = { many: result('many'), other: result('other'), file: result('file') };
  const withDefault = await stack.client.createWorkflow({
    name: 'choosing',
    start_step: 'which',
    steps: {
      which: { type: 'choice', choices, default_next_step: 'none' },
      ...steps,
      none: { type: 'succeed', result: 'none' },
    },
  });
  const without = await stack.client.createWorkflow({
    name: 'choosing-or-failing',
    start_step: 'which',
    steps: { which: { type: 'choice', choices }, ...steps },
  });
  const outputs: unknown[] = [];
  for (const input of [
    { count: 11 },
    { count: 3, expected: 4 },
    { count: 3, expected: 3, name: 'data-7.csv' },
    { count: 'eleven' },
    {},
  ]) {
    const run = await stack.client.ended(await stack.client.execute(withDefault, input));
    outputs.push(run.output_data);
  }
  expect(outputs).toEqual(['many', 'other', 'file', 'other', 'none']);
  expect(await stack.client.ended(await stack.client.execute(without, {}))).toMatchObject({
    status: 'FAILED',
    error_code: 'NO_CHOICE_MATCHED',
    error_step_id: 'which',
  });
});

/** Comes by `work` until `$.variables.left` is spent. */
const loop = (work: object) => ({
  start_step: 'work',
  steps: {
    work: { ...work, next_step: 'more' },
    more: {
      type: 'choice',
      choices: [{ variable: '$.work.output_data.left[0]', is_present: true, next_step: 'work' }],
      default_next_step: 'end',
    },
    end: { type: 'succeed', result: '$.variables.left' },
  },
});

test('a loop goes on until its condition fails; each time is a visit with a key of its own', async () => {
  const { runId, ...run } = await stack.run(
    'looping',
    loop({
      agent_name: 'echo',
      input_mapping: { left: '$.variables.left[1:]' },
      assign: { left: '$.output.left' },
    }),
    { left: ['a', 'b', 'c'] },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: [] });
  expect(await attemptsOf(stack, runId)).toEqual([
    'work COMPLETED',
    'more COMPLETED',
    'work visit 2 COMPLETED',
    'more visit 2 COMPLETED',
    'work visit 3 COMPLETED',
    'more visit 3 COMPLETED',
    'end COMPLETED',
  ]);
  const calls = stack.agents.callsOf('echo').filter(({ body }) => body.run_id === runId);
  expect(calls.map(({ idempotencyKey }) => idempotencyKey)).toEqual(
    ['1:19d7bceb76affb32', '2:25905e271d7c155d', '3:ed40f8ddef5b1ca8'].map((call) => `${runId}:work:${call}`),
  );
});

test('a loop around a parallel step and one inside of a map have visits of their own', async () => {
  const inner = {
    start_step: 'step',
    steps: {
      step: {
        type: 'pass',
        result: { left: '$.variables.left[1:]' },
        assign: { left: '$.output.left' },
        next_step: 'again',
      },
      again: {
        type: 'choice',
        choices: [{ variable: '$.variables.left[0]', is_present: true, next_step: 'step' }],
        default_next_step: 'leave',
      },
      leave: { type: 'pass', result: '$.index' },
    },
  };
  const { runId, ...run } = await stack.run(
    'loops-in-loops',
    loop({
      type: 'parallel',
      branches: {
        only: { start_step: 'each', steps: { each: { type: 'map', items: '$.variables.left', ...inner } } },
      },
      output_mapping: { left: '$.variables.left[1:]', items: '$.output.only' },
      assign: { left: '$.variables.left[1:]' },
    }),
    { left: ['a', 'b'] },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: [] });
  const attempts = await attemptsOf(stack, runId);
  const inside = (scope: string) => attempts.filter((attempt) => attempt.startsWith(`${scope}/`));
  expect(inside('work#1/only/each#1/1')).toEqual([
    'work#1/only/each#1/1/step COMPLETED',
    'work#1/only/each#1/1/again COMPLETED',
    'work#1/only/each#1/1/step visit 2 COMPLETED',
    'work#1/only/each#1/1/again visit 2 COMPLETED',
    'work#1/only/each#1/1/leave COMPLETED',
  ]);
  expect(inside('work#2/only/each#1/0')).toHaveLength(3);
  expect(attempts).toHaveLength(2 + 2 + 1 + 2 + 2 * 5 + 3);
});

test('pass makes data, succeed ends the run with a result, fail with a code and a message', async () => {
  const made = await stack.run(
    'made',
    {
      start_step: 'a',
      steps: {
        a: {
          type: 'pass',
          result: { list: ['$.workflow_input.x', 'literal', '$5.00'] },
          assign: { y: '$.output.list[0]' },
          next_step: 'b',
        },
        b: { type: 'succeed', result: { list: '$.a.output_data.list', y: '$.variables.y' } },
      },
    },
    { x: 7 },
  );
  expect(made).toMatchObject({
    status: 'COMPLETED',
    output_data: { list: [7, 'literal', '$5.00'], y: 7 },
  });
  const failed = await stack.run(
    'failed',
    {
      start_step: 'a',
      steps: { a: { type: 'fail', error_code: 'TOO_FEW', error_message: '$.workflow_input.why' } },
    },
    { why: 'Only two rows' },
  );
  expect(failed).toMatchObject({
    status: 'FAILED',
    error_code: 'TOO_FEW',
    error_message: 'Step "a" failed with TOO_FEW on attempt 1: Only two rows',
  });
});

test('a step that comes back to itself after its own error has another visit', async () => {
  await stack.addAgent('third-time', ({ body }) => {
    const calls = stack.agents.callsOf('third-time').length;
    return calls < 3
      ? { status: 400, body: { code: 'NOT_YET', message: `${calls}` } }
      : { body: body.input_data };
  });
  const { runId, ...run } = await stack.run('catching-itself', {
    start_step: 'a',
    steps: {
      a: { agent_name: 'third-time', retry: [], catch: [{ codes: ['NOT_YET'], next_step: 'again' }] },
      again: { type: 'pass', result: '$.error.message', next_step: 'a' },
    },
  });
  expect(run.status).toBe('COMPLETED');
  expect(await attemptsOf(stack, runId)).toEqual([
    'a FAILED NOT_YET',
    'again COMPLETED',
    'a visit 2 FAILED NOT_YET',
    'again visit 2 COMPLETED',
    'a visit 3 COMPLETED',
  ]);
});
