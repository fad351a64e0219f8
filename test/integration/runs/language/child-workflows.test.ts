import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

let stack: LanguageStack;
let isMended = false;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
  });
  await stack.addAgent('echo');
  await stack.addAgent('silent', () => ({ status: 202 }));
  await stack.addAgent('breakable', ({ body }) =>
    isMended ? { body: body.input_data } : { status: 400, body: { code: 'NO_DISK', message: 'Full' } },
  );
  const input_mapping = { message: '$.workflow_input.message' };
  const oneStep = (agent_name: string) => ({
    start_step: 'c',
    steps: { c: { agent_name, input_mapping, retry: [] } },
  });
  for (const agent of ['echo', 'silent', 'breakable'])
    await stack.client.createWorkflow({ name: `${agent}-child`, ...oneStep(agent) });
  await stack.client.createWorkflow({
    name: 'versioned',
    start_step: 'v',
    steps: { v: { type: 'pass', result: 1 } },
  });
  await stack.client.createWorkflow({
    name: 'versioned',
    start_step: 'v',
    steps: { v: { type: 'pass', result: 2 } },
  });
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const childStep = (workflow_name: string, more: object = {}) => ({
  start_step: 'call',
  steps: {
    call: {
      type: 'workflow',
      workflow_name,
      input_mapping: { message: '$.workflow_input.message' },
      ...more,
    },
    ...('catch' in more && { caught: { type: 'pass', result: '$.error' } }),
  },
});
const catching = { catch: [{ next_step: 'caught' }] };

interface RunRow {
  readonly run_id: string;
  readonly status: string;
  readonly cancel_reason: string | null;
}

const childrenOf = (runId: string) =>
  stack.database.many<RunRow>(
    'select run_id, status, cancel_reason from workflow_runs where parent_run_id = $1 order by created_at, run_id',
    [runId],
  );

test('the child’s output is the step’s', async () => {
  const { runId, ...run } = await stack.run('waiting', childStep('echo-child', catching), {
    message: 'hello',
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { message: 'hello' } });
  expect(await childrenOf(runId)).toMatchObject([{ status: 'COMPLETED' }]);
  expect(await attemptsOf(stack, runId)).toEqual(['call COMPLETED']);
});

test('of the version that the step names, else the latest', async () => {
  const run = await stack.run('by-version', {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        branches: {
          first: {
            start_step: 'one',
            steps: { one: { type: 'workflow', workflow_name: 'versioned', version: 1 } },
          },
          latest: { start_step: 'two', steps: { two: { type: 'workflow', workflow_name: 'versioned' } } },
        },
      },
    },
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { first: 1, latest: 2 } });
});

test('a child that nobody waits for is left alone', async () => {
  const run = await stack.run(
    'not-waiting',
    childStep('breakable-child', { wait_for_completion: false, ...catching }),
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: { run_id: expect.stringMatching(/^run-/) },
  });
  const { run_id } = run.output_data as { run_id: string };
  expect(await stack.client.ended(run_id)).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK' });
});

test('a child’s failure is the step’s, to be caught or not', async () => {
  const caught = await stack.run('child-fails-caught', childStep('breakable-child', catching));
  expect(caught).toMatchObject({
    status: 'COMPLETED',
    output_data: {
      code: 'NO_DISK',
      message: expect.stringMatching(/^Step "c" failed with NO_DISK on attempt 1: Full \(agent "/),
      step: 'call',
      attempt: 1,
    },
  });
});

test('no policy but the step’s own starts another child', async () => {
  const agents = { retry: { max_attempts: 3, initial_interval_ms: 10 } };
  const { runId, ...run } = await stack.run('child-fails', { ...childStep('breakable-child'), ...agents });
  expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'call' });
  expect(await childrenOf(runId)).toMatchObject([{ status: 'FAILED' }]);
});

test('a retry policy starts another child', async () => {
  await stack.addAgent('once-broken', ({ body }) =>
    stack.agents.callsOf('once-broken').length === 1
      ? { status: 400, body: { code: 'NO_DISK', message: 'Full' } }
      : { body: body.input_data },
  );
  await stack.client.createWorkflow({
    name: 'once-broken-child',
    start_step: 'c',
    steps: {
      c: { agent_name: 'once-broken', input_mapping: { message: '$.workflow_input.message' }, retry: [] },
    },
  });
  const retry = { max_attempts: 2, initial_interval_ms: 10, codes: ['NO_DISK'] };
  const { runId, ...run } = await stack.run('child-again', childStep('once-broken-child', { retry }), {
    message: 'hello',
  });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { message: 'hello' } });
  expect(await attemptsOf(stack, runId)).toEqual(['call FAILED NO_DISK', 'call attempt 2 COMPLETED']);
  expect(await childrenOf(runId)).toMatchObject([{ status: 'FAILED' }, { status: 'COMPLETED' }]);
});

test('there must be such a workflow, which the run’s owner may start', async () => {
  const run = await stack.run('no-child', childStep('unheard-of', catching));
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { code: 'WORKFLOW_NOT_FOUND' } });
});

const running = async (runId: string) => {
  const [child] = await eventually(
    'the child',
    () => childrenOf(runId),
    ([child]) => child?.status === 'RUNNING',
  );
  await stack.client.stepsWhen(child?.run_id ?? '', ([step]) => step?.status === 'RUNNING');
  return child?.run_id ?? '';
};

test('a child is cancelled with its parent', async () => {
  const runId = await stack.start('cancelled-parent', childStep('silent-child', catching));
  const childId = await running(runId);
  await stack.cancel(runId);
  expect(await stack.client.ended(childId)).toMatchObject({ status: 'CANCELLED' });
  expect(await attemptsOf(stack, runId)).toEqual(['call CANCELLED']);
});

test('a child that is cancelled by itself is an error of its parent', async () => {
  const runId = await stack.start('cancelled-child', childStep('silent-child', catching));
  await stack.cancel(await running(runId));
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { code: 'CANCELLED' },
  });
});

test('a child that is cancelled by itself is not tried again, whatever the policy', async () => {
  const retry = { max_attempts: 3, initial_interval_ms: 10, codes: ['ALL'] };
  const runId = await stack.start('cancelled-for-good', childStep('silent-child', { retry }));
  await stack.cancel(await running(runId));
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'FAILED', error_code: 'CANCELLED' });
  expect(await attemptsOf(stack, runId)).toEqual(['call FAILED CANCELLED']);
});

test('a child that takes too long, or whose branch is over, is cancelled', async () => {
  const timed = await stack.run(
    'timed-child',
    childStep('silent-child', { timeout_seconds: 0.4, ...catching }),
  );
  expect(timed).toMatchObject({ status: 'COMPLETED', output_data: { code: 'TIMEOUT' } });
  const raced = await stack.run('raced-child', {
    start_step: 'race',
    steps: {
      race: {
        type: 'parallel',
        wait_for: 'any',
        branches: {
          child: { start_step: 'slow', steps: { slow: { type: 'workflow', workflow_name: 'silent-child' } } },
          own: { start_step: 'quick', steps: { quick: { type: 'wait', seconds: 0.5 } } },
        },
      },
    },
  });
  expect(raced.status).toBe('COMPLETED');
  for (const { runId } of [timed, raced]) {
    const [child] = await childrenOf(runId);
    expect((await stack.client.ended(child?.run_id ?? '')).status).toBe('CANCELLED');
  }
});

test('a child of each item, and children of children', async () => {
  await stack.client.createWorkflow({ name: 'middle', ...childStep('echo-child', catching) });
  const run = await stack.run(
    'children',
    {
      start_step: 'each',
      steps: {
        each: {
          type: 'map',
          items: '$.workflow_input.items',
          max_concurrency: 2,
          start_step: 'call',
          steps: {
            call: { type: 'workflow', workflow_name: 'middle', input_mapping: { message: '$.item' } },
          },
        },
      },
    },
    { items: ['a', 'b', 'c'] },
  );
  expect(run).toMatchObject({
    status: 'COMPLETED',
    output_data: [{ message: 'a' }, { message: 'b' }, { message: 'c' }],
  });
});

test('a run that is retried has its child go on where that failed', async () => {
  isMended = false;
  const two = {
    name: 'two-steps-child',
    start_step: 'c1',
    steps: {
      c1: { agent_name: 'echo', input_mapping: { message: '$.workflow_input.message' }, next_step: 'c2' },
      c2: { agent_name: 'breakable', input_mapping: { message: '$.c1.output_data.message' }, retry: [] },
    },
  };
  await stack.client.createWorkflow(two);
  const { runId, ...run } = await stack.run('retried-parent', childStep(two.name), { message: 'kept' });
  expect(run).toMatchObject({ status: 'FAILED', error_code: 'NO_DISK', error_step_id: 'call' });
  isMended = true;
  expect(await stack.retry(runId)).toBe('202 RUNNING');
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'kept' },
    error_code: null,
  });
  expect(await attemptsOf(stack, runId)).toEqual(['call FAILED NO_DISK', 'call attempt 2 COMPLETED']);
  const [child, ...others] = await childrenOf(runId);
  expect(others).toEqual([]);
  expect(await attemptsOf(stack, child?.run_id ?? '')).toEqual([
    'c1 COMPLETED',
    'c2 FAILED NO_DISK',
    'c2 attempt 2 COMPLETED',
  ]);
});
