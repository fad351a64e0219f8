import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { type ProcessStack, startProcessStack } from '../../support/process-stack.ts';
import { addQuickAgent, PATIENT } from '../../support/quick-agents.ts';
import { sequence } from '../../support/sequence.ts';

let stack: ProcessStack;
beforeAll(async () => {
  stack = await startProcessStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    timekeeperRateMs: 2_000,
    variables: PATIENT,
  });
});
afterAll(() => stack?.close());

/**
 * An agent that nobody knows is called by an invocation of its own, which is not repeated: a minute after the step's time the wake
 * publishes its task once more.
 */
const handed = { timeout_seconds: 5 };
const WAKE_AFTER_MS = 150_000;

function killAll(functionName: string): void {
  const pids = stack.pidsOf(functionName);
  expect(pids.length).toBeGreaterThan(0);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
}

test('the bridge is killed in mid call: the agent is called again with the same key, the step completes once', async () => {
  const never = new Promise<never>(() => {});
  await stack.addAgent('quick');
  await stack.addAgent('interrupted', ({ body, count }) => (count === 1 ? never : { body: body.input_data }));
  const definition = sequence('bridge-killed', 'quick', 3);
  Object.assign(definition.steps.s2 as object, { agent_name: 'interrupted', ...handed });
  const runId = await stack.client.execute(await stack.client.createWorkflow(definition), {
    message: 'hello',
  });
  const calls = () => stack.agents.callsOf('interrupted');
  await eventually(
    'the call',
    () => calls().length,
    (count) => count === 1,
  );
  killAll('http-bridge');
  expect(await stack.client.ended(runId, WAKE_AFTER_MS)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'hello' },
  });
  const steps = await stack.client.findSteps(runId);
  expect(steps.map(({ step_id, attempt, status }) => [step_id, attempt, status])).toEqual([
    ['s1', 1, 'COMPLETED'],
    ['s2', 1, 'COMPLETED'],
    ['s3', 1, 'COMPLETED'],
  ]);
  expect(calls().map(({ idempotencyKey }) => idempotencyKey)).toEqual(
    Array(2).fill(`${runId}:s2:1:ea0a419b5c9d5399`),
  );
  expect(calls()[1]?.body).toEqual(calls()[0]?.body);
});

test('the executor is killed while it calls an agent: that is called again with the same key, the step completes once', async () => {
  const never = new Promise<never>(() => {});
  await addQuickAgent(stack, 'called-at-once', ({ body, count }) =>
    count === 1 && body.step_id === 's2' ? never : { body: body.input_data },
  );
  const definition = sequence('executor-killed', 'called-at-once', 3);
  const runId = await stack.client.execute(await stack.client.createWorkflow(definition), {
    message: 'hello',
  });
  const calls = () => stack.agents.callsOf('called-at-once').filter(({ body }) => body.step_id === 's2');
  await eventually(
    'the call',
    () => calls().length,
    (count) => count === 1,
  );
  const attempts = await stack.client.findSteps(runId);
  expect(attempts.map(({ step_id, status }) => [step_id, status])).toEqual([
    ['s1', 'COMPLETED'],
    ['s2', 'RUNNING'],
  ]);
  killAll('step-executor');
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'hello' },
  });
  const steps = await stack.client.findSteps(runId);
  expect(steps.map(({ step_id, attempt, status }) => [step_id, attempt, status])).toEqual([
    ['s1', 1, 'COMPLETED'],
    ['s2', 1, 'COMPLETED'],
    ['s3', 1, 'COMPLETED'],
  ]);
  expect(calls()).toHaveLength(2);
  expect(calls()[1]).toMatchObject({ idempotencyKey: calls()[0]!.idempotencyKey, body: calls()[0]!.body });
});

test('the lambda bridge is killed in mid invocation: the function is invoked again with the same event', async () => {
  const never = new Promise<never>(() => {});
  await stack.addLambdaAgent('lambda-quick');
  await stack.addLambdaAgent('lambda-interrupted', ({ input_data }, count) =>
    count === 1 ? never : input_data,
  );
  const definition = sequence('lambda-bridge-killed', 'lambda-quick', 3);
  Object.assign(definition.steps.s2 as object, { agent_name: 'lambda-interrupted', ...handed });
  const runId = await stack.client.execute(await stack.client.createWorkflow(definition), {
    message: 'hello',
  });
  const events = () => stack.lambda.eventsOf('lambda-interrupted');
  await eventually(
    'the invocation',
    () => events().length,
    (count) => count === 1,
  );
  killAll('lambda-bridge');
  expect(await stack.client.ended(runId, WAKE_AFTER_MS)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'hello' },
  });
  const steps = await stack.client.findSteps(runId);
  expect(steps.map(({ step_id, attempt, status }) => [step_id, attempt, status])).toEqual([
    ['s1', 1, 'COMPLETED'],
    ['s2', 1, 'COMPLETED'],
    ['s3', 1, 'COMPLETED'],
  ]);
  expect(events().map(({ idempotency_key }) => idempotency_key)).toEqual(
    Array(2).fill(`${runId}:s2:1:ea0a419b5c9d5399`),
  );
  expect(events()[1]).toEqual(events()[0]);
});

test('the timekeeper is killed while a retry waits: the next invocation starts it', async () => {
  await stack.addAgent('flaky', ({ body, count }) =>
    count < 3 ? { status: 503 } : { body: body.input_data },
  );
  const retry = { max_attempts: 3, initial_interval_ms: 300, backoff_rate: 1, jitter: 'none' };
  const workflowId = await stack.client.createWorkflow(sequence('timekeeper-killed', 'flaky', 1, { retry }));
  const runId = await stack.client.execute(workflowId, { message: 'patience' });
  for (const attempt of [2, 3]) {
    await stack.client.stepsWhen(runId, (steps) => steps.length >= attempt);
    killAll('timekeeper');
  }
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'patience' },
  });
  const steps = await stack.client.findSteps(runId);
  expect(steps.map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, 'FAILED'],
    [2, 'FAILED'],
    [3, 'COMPLETED'],
  ]);
});

test('the API is killed: the next request is a cold start', async () => {
  await stack.addAgent('echo');
  const workflowId = await stack.client.createWorkflow(sequence('api-killed', 'echo', 1));
  killAll('api');
  // A request in the moment of its death would be a failed invocation.
  await eventually(
    'its end',
    () => stack.pidsOf('api'),
    ({ length }) => length === 0,
  );
  const runId = await stack.client.execute(workflowId, { message: 'still here' });
  expect((await stack.client.ended(runId)).output_data).toEqual({ message: 'still here' });
});
