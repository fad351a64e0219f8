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

test('the first policy that is for the code grants an attempt, and each counts for itself; a retry begins anew', async () => {
  const codes = ['BUSY', 'GONE', 'BUSY', 'GONE', 'GONE', 'GONE', 'BUSY', 'BUSY', 'BUSY'];
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
          { ...quickly, codes: ['BUSY'], max_attempts: 3 },
          { ...quickly, codes: ['GONE', 'NEVER'], max_attempts: 3 },
        ],
      },
    },
  });
  const tried = () =>
    stack.database.many<{ attempt: number; error_code: string; granted: number[] | null }>(
      `select attempt, error_code, policy_retries as granted from step_executions where run_id = $1 order by attempt`,
      [runId],
    );
  expect(run).toMatchObject({ status: 'FAILED', error_code: 'GONE', error_step_id: 'a', error_attempt: 5 });
  const before = [
    { attempt: 1, error_code: 'BUSY', granted: null },
    { attempt: 2, error_code: 'GONE', granted: [1, 0] },
    { attempt: 3, error_code: 'BUSY', granted: [1, 1] },
    { attempt: 4, error_code: 'GONE', granted: [2, 1] },
    { attempt: 5, error_code: 'GONE', granted: [2, 2] },
  ];
  expect(await tried()).toEqual(before);
  await stack.retry(runId);
  expect(await stack.client.ended(runId)).toMatchObject({ error_code: 'BUSY', error_attempt: 9 });
  expect(await tried()).toEqual([
    ...before,
    { attempt: 6, error_code: 'GONE', granted: null },
    { attempt: 7, error_code: 'BUSY', granted: [0, 1] },
    { attempt: 8, error_code: 'BUSY', granted: [1, 1] },
    { attempt: 9, error_code: 'BUSY', granted: [2, 1] },
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
