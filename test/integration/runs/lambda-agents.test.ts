import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { limits } from '../../../shared/config/limits.ts';
import type { AgentTask } from '../../../shared/messages/messages.ts';
import type { LambdaAgentBehaviour, LambdaAgentSettings } from '../../support/lambda-agents.ts';
import type { StepView } from '../../support/run-client.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

let stack: RunStack;
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => stack?.close());

const quickly = { max_attempts: 3, initial_interval_ms: 50, backoff_rate: 1, jitter: 'none' } as const;

interface RunSettings extends LambdaAgentSettings {
  readonly retry?: object;
  readonly timeout_seconds?: number;
}

/** A run of a workflow of one step, whose agent is a function. */
async function runOf(
  name: string,
  behaviour: LambdaAgentBehaviour,
  settings: RunSettings = {},
): Promise<string> {
  const { retry = quickly, timeout_seconds, ...functionSettings } = settings;
  await stack.addLambdaAgent(name, behaviour, functionSettings);
  const step = { retry, ...(timeout_seconds !== undefined && { timeout_seconds }) };
  const workflowId = await stack.client.createWorkflow(sequence(name, name, 1, step));
  return stack.client.execute(workflowId, { message: 'hello' });
}

/** A run started after others on the same single partition has passed: whatever was there for them was dealt with. */
async function letTasksPass(): Promise<void> {
  const runId = await runOf(`passing-${crypto.randomUUID()}`, ({ input_data }) => input_data);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
}

const summary = (steps: readonly StepView[]) =>
  steps.map(({ step_id, attempt, status, error_code }) => [step_id, attempt, status, error_code]);

test('a workflow of HTTP and Lambda agents completes, each getting what the one before answered', async () => {
  await stack.addAgent('over-http', ({ body }) => ({
    body: { message: `${(body.input_data as { message: string }).message} → http` },
  }));
  await stack.addLambdaAgent('as-a-function', ({ input_data }) => ({
    message: `${(input_data as { message: string }).message} → lambda`,
  }));
  const definition = sequence('mixed', 'over-http', 4);
  for (const step of ['s2', 's4'])
    Object.assign(definition.steps[step] as object, { agent_name: 'as-a-function' });
  const runId = await stack.client.execute(await stack.client.createWorkflow(definition), {
    message: 'start',
  });
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'start → http → lambda → http → lambda' },
  });
  const steps = await stack.client.findSteps(runId);
  const [event] = stack.lambda.eventsOf('as-a-function');
  expect(event).toEqual({
    run_id: runId,
    step_execution_id: steps[1]?.step_execution_id,
    step_id: 's2',
    attempt: 1,
    input_data: { message: 'start → http' },
    callback_url: expect.stringContaining(`${stack.url}/api/v1/callbacks/${steps[1]?.step_execution_id}/`),
    idempotency_key: `${runId}:s2:1:5671706c4aa23825`,
  });
});

describe('a function that throws', () => {
  test('is invoked again with the same key, until it does not', async () => {
    const runId = await runOf('flaky', ({ input_data }, count) => {
      if (count < 3) throw new RangeError('not yet');
      return input_data;
    });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'hello' },
    });
    expect(summary(await stack.client.findSteps(runId))).toEqual([
      ['s1', 1, 'FAILED', 'RangeError'],
      ['s1', 2, 'FAILED', 'RangeError'],
      ['s1', 3, 'COMPLETED', null],
    ]);
    const events = stack.lambda.eventsOf('flaky');
    expect(events.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(new Set(events.map(({ idempotency_key }) => idempotency_key))).toEqual(
      new Set([`${runId}:s1:1:ea0a419b5c9d5399`]),
    );
  });

  test('can say by JSON that a repeat would not help', async () => {
    const runId = await runOf('refusing', () => {
      throw new Error(JSON.stringify({ code: 'BAD_SOURCE', message: 'No such bucket', retryable: false }));
    });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_message: expect.stringMatching(
        /^Step "s1" failed with BAD_SOURCE on attempt 1: No such bucket \(agent "refusing" at \S+\)$/,
      ),
    });
  });
});

test('a function that somebody else keeps busy is invoked again after a while', async () => {
  const busy = Promise.withResolvers<void>();
  const behaviour: LambdaAgentBehaviour = ({ run_id, input_data }) =>
    run_id === undefined ? busy.promise : input_data;
  await stack.addLambdaAgent('alone', behaviour, { reservedConcurrency: 1 });
  const elsewhere = stack.lambda.functions.get('alone')?.invoke({});
  const definition = sequence('alone', 'alone', 1, { retry: quickly });
  const runId = await stack.client.execute(await stack.client.createWorkflow(definition), {
    message: 'hello',
  });
  const [throttled] = await stack.client.stepsWhen(runId, ([first]) => first?.status === 'FAILED');
  expect(throttled).toMatchObject({
    error_code: 'AGENT_THROTTLED',
    error_message: expect.stringContaining('ReservedFunctionConcurrentInvocationLimitExceeded'),
  });
  busy.resolve();
  await elsewhere;
  expect((await stack.client.ended(runId)).output_data).toEqual({ message: 'hello' });
  const [first, second, ...others] = await stack.client.findSteps(runId);
  expect(others).toEqual([]);
  const waitedMs = Date.parse(second?.started_at ?? '') - Date.parse(first?.completed_at ?? '');
  expect(waitedMs).toBeGreaterThanOrEqual(2_000);
});

describe('a function that does not answer', () => {
  test('in the time of the step has failed', async () => {
    const runId = await runOf(
      'sleeper',
      ({ input_data }, count) => (count === 1 ? new Promise(() => {}) : input_data),
      {
        timeout_seconds: 1.5,
      },
    );
    expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
    const [late, ...others] = await stack.client.findSteps(runId);
    expect(late).toMatchObject({
      error_code: 'TIMEOUT',
      error_message: expect.stringMatching(
        /^The agent did not answer within 1500 ms \(agent "sleeper" at \S+\)$/,
      ),
    });
    expect(summary(others)).toEqual([['s1', 2, 'COMPLETED', null]]);
  });

  test('in its own time has failed', async () => {
    const runId = await runOf('short', () => new Promise(() => {}), { retry: [], timeoutMs: 200 });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_code: 'TIMEOUT',
      error_message: expect.stringMatching(
        /ended by its own timeout.*: RequestId: .* Task timed out after 0\.20 seconds \(agent "short" at \S+\)$/,
      ),
    });
  });
});

test.each<[string, string, unknown]>([
  ['is too large', 'DATA_LIMIT', 'x'.repeat(limits.maxPayloadBytes)],
  ['is beyond what Lambda lets through', 'DATA_LIMIT', 'x'.repeat(7 * 1024 * 1024)],
  ['is too deep', 'TOO_DEEP', JSON.parse(`${'['.repeat(101)}${']'.repeat(101)}`)],
  ['cannot be stored', 'UNSTORABLE', { text: '\u0000' }],
])('an output that %s fails the step for good', async (what, code, output) => {
  const runId = await runOf(`output-${what.replaceAll(' ', '-')}`, () => output);
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'FAILED',
    error_code: code,
    error_attempt: 1,
    error_message: expect.stringContaining("The agent's answer cannot be used"),
  });
});

test('a function that is not there fails the step for good, with a code that says so', async () => {
  const runId = await runOf('deleted', () => null);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  stack.lambda.functions.delete('deleted');
  const again = await stack.client.execute(
    await stack.client.createWorkflow(sequence('again', 'deleted', 1)),
  );
  expect(await stack.client.ended(again)).toMatchObject({
    status: 'FAILED',
    error_code: 'AGENT_FUNCTION_NOT_FOUND',
    error_attempt: 1,
  });
});

test('a function that returns its callback URL as accepted settles the step by a callback', async () => {
  const runId = await runOf('caller', ({ callback_url, input_data }) => {
    setTimeout(() => {
      const headers = { 'content-type': 'application/json' };
      void fetch(callback_url, { method: 'POST', headers, body: JSON.stringify({ later: input_data }) });
    }, 200);
    return { accepted: callback_url };
  });
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { later: { message: 'hello' } },
  });
  expect(stack.lambda.eventsOf('caller')).toHaveLength(1);
});

test('a task that comes again is not carried out again', async () => {
  const tasks = await stack.readTopic<AgentTask>('lambdaTasks');
  const runId = await runOf('once', ({ input_data }) => input_data);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  const [record] = await tasks.when(({ value }) => value.run_id === runId, 1);
  const task = record?.value as AgentTask;
  await stack.produce('lambdaTasks', task.step_execution_id, task, task);
  await letTasksPass();
  expect(stack.lambda.eventsOf('once')).toHaveLength(1);
});

test('the task of a cancelled attempt is skipped', async () => {
  stack.hold('lambdaTasks', true);
  const runId = await runOf('cancelled', ({ input_data }) => input_data);
  await stack.client.stepsWhen(runId, (steps) => steps[0]?.status === 'RUNNING');
  expect((await stack.client.send('POST', `/api/v1/runs/${runId}/cancel`, { body: {} })).status).toBe(200);
  stack.hold('lambdaTasks', false);
  await letTasksPass();
  expect(stack.lambda.eventsOf('cancelled')).toEqual([]);
});
