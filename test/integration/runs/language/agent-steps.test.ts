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
  await stack.addAgent('failing', ({ body }) => ({
    status: 400,
    body: { code: 'NO_DISK', message: `Full in ${body.step_id}` },
  }));
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

test('the first policy that is for the code says how often an attempt is repeated', async () => {
  const codes = ['BUSY', 'BUSY', 'GONE', 'GONE', 'GONE'];
  await stack.addAgent('various', ({ count }) => ({
    status: 503,
    body: { code: codes[count - 1] ?? 'OTHER', message: 'Not now' },
  }));
  const quickly = { initial_interval_ms: 10, jitter: 'none' };
  const { runId, ...run } = await stack.run('retry-by-code', {
    start_step: 'a',
    steps: {
      a: {
        agent_name: 'various',
        retry: [
          { ...quickly, codes: ['BUSY'], max_attempts: 9 },
          { ...quickly, codes: ['GONE', 'NEVER'], max_attempts: 4 },
        ],
      },
    },
  });
  expect(run).toMatchObject({ status: 'FAILED', error_code: 'GONE', error_step_id: 'a', error_attempt: 4 });
  expect(await attemptsOf(stack, runId)).toEqual([
    'a FAILED BUSY',
    'a attempt 2 FAILED BUSY',
    'a attempt 3 FAILED GONE',
    'a attempt 4 FAILED GONE',
  ]);
});

test('the first clause that is for the code catches, and the error is in $.error', async () => {
  const { runId, ...run } = await stack.run('caught', {
    start_step: 'a',
    steps: {
      a: {
        agent_name: 'failing',
        retry: [],
        next_step: 'never',
        catch: [
          { codes: ['TIMEOUT'], next_step: 'never' },
          { codes: ['NO_DISK'], next_step: 'tell' },
          { next_step: 'never' },
        ],
      },
      never: { type: 'fail', error_code: 'NEVER' },
      tell: { agent_name: 'echo', input_mapping: { error: '$.error', code: '$.error.code' } },
    },
  });
  const message = expect.stringMatching(
    /^Full in a \(agent "failing" at http:\S+\/agents\/failing, HTTP 400\)$/,
  );
  const error = { code: 'NO_DISK', message, step: 'a', attempt: 1 };
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: { error, code: 'NO_DISK' },
    error_code: null,
  });
  expect(await attemptsOf(stack, runId)).toEqual(['a FAILED NO_DISK', 'tell COMPLETED']);
});

test('an error that nothing catches fails the run with its code, step and attempt', async () => {
  const run = await stack.run('not-caught', {
    start_step: 'a',
    steps: {
      a: { agent_name: 'failing', retry: [], catch: [{ codes: ['TIMEOUT'], next_step: 'b' }] },
      b: { type: 'pass' },
    },
  });
  expect(run).toMatchObject({
    status: 'FAILED',
    error_message: expect.stringMatching(
      /^Step "a" failed with NO_DISK on attempt 1: Full in a \(agent "failing" at \S+, HTTP 400\)$/,
    ),
    error_code: 'NO_DISK',
    error_step_id: 'a',
    error_attempt: 1,
  });
});

test('a result is reshaped, and sets variables that later steps see beside those of the run', async () => {
  const run = await stack.run(
    'reshaped',
    {
      start_step: 'a',
      steps: {
        a: {
          agent_name: 'echo',
          input_mapping: { rows: [1, 2, 3], from: '$.workflow_input.from' },
          output_mapping: { last: '$.output.rows[-1]', all: '$.output.rows[*]' },
          assign: { count: '$.output.rows[2]', seen: true },
          next_step: 'b',
        },
        b: { agent_name: 'echo', assign: { seen: 'twice' }, next_step: 'c' },
        c: { agent_name: 'echo', input_mapping: { a: '$.a.output_data', variables: '$.variables' } },
      },
    },
    { from: 'here' },
  );
  expect(run.output_data).toEqual({
    a: { last: 3, all: [1, 2, 3] },
    variables: { from: 'here', count: 3, seen: 'twice' },
  });
});

const caughtAs = (step: object) => ({
  start_step: 'a',
  steps: {
    a: { ...step, retry: [], catch: [{ next_step: 'caught' }] },
    caught: { type: 'pass', result: '$.error.code' },
  },
});

test('an agent that shows signs of life has its time; one that shows none any more fails', async () => {
  await stack.addAgent('beating', async ({ body }) => {
    const post = (suffix: string) =>
      fetch(body.callback_url + suffix, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"message":"done"}',
      }).catch(() => {});
    for (let beat = 1; beat <= 12; beat++) setTimeout(() => void post('/heartbeat'), beat * 250);
    setTimeout(() => void post(''), 3_200);
    return { status: 202 };
  });
  await stack.addAgent('fainting', () => ({
    callBack: { afterMs: 100, suffix: '/heartbeat', body: {} },
  }));
  const [alive, silent] = await Promise.all([
    stack.run('alive', caughtAs({ agent_name: 'beating', heartbeat_seconds: 2.5 })),
    stack.run('silent', caughtAs({ agent_name: 'fainting', heartbeat_seconds: 0.3 })),
  ]);
  expect(alive).toMatchObject({ status: 'COMPLETED', output_data: { message: 'done' } });
  expect(silent).toMatchObject({ status: 'COMPLETED', output_data: 'HEARTBEAT_TIMEOUT' });
});

test.each([
  ['a time limit', 'TIMEOUT', { agent_name: 'silent', timeout_seconds: 0.2 }],
  [
    'an input that is too large',
    'DATA_LIMIT',
    { agent_name: 'echo', input_mapping: { one: '$.workflow_input.large', two: '$.workflow_input.large' } },
  ],
  [
    'an output that is too large',
    'DATA_LIMIT',
    { agent_name: 'echo', output_mapping: ['$.workflow_input.large', '$.workflow_input.large'] },
  ],
  [
    'variables that are too large',
    'DATA_LIMIT',
    { agent_name: 'echo', assign: { one: '$.workflow_input.large', two: '$.workflow_input.large' } },
  ],
  ['an agent that nobody knows', 'AGENT_NOT_FOUND', { agent_name: 'unheard-of' }],
])('the error of %s can be caught', async (what, code, step) => {
  if (code === 'TIMEOUT') await stack.addAgent('silent', () => new Promise<never>(() => {}));
  const run = await stack.run(`caught-${what.replaceAll(' ', '-')}`, caughtAs(step), {
    large: 'x'.repeat(140_000),
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: code });
});
