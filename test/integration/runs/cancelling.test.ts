import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { AgentBehaviour } from '../../support/agent-server.ts';
import { eventually } from '../../support/eventually.ts';
import { TASKS_BY_TOPIC } from '../../support/quick-agents.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

let stack: RunStack;
beforeAll(async () => {
  stack = await startRunStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    variables: TASKS_BY_TOPIC,
  });
});
afterAll(() => stack?.close());

async function runOf(name: string, behaviour?: AgentBehaviour, retry: object[] = []): Promise<string> {
  await stack.addAgent(name, behaviour);
  return stack.client.execute(await stack.client.createWorkflow(sequence(name, name, 2, { retry })));
}

async function cancel(runId: string): Promise<void> {
  const { status } = await stack.client.send('POST', `/api/v1/runs/${runId}/cancel`, {
    body: { reason: 'Testing cancellation' },
  });
  expect(status).toBe(200);
}

/** The run and its attempts as they are now, in words; what comes later must leave them so. */
async function stateOf(runId: string) {
  const { status, sequence, cancelled_by, output_data } = await stack.client.findRun(runId);
  const steps = await stack.client.findSteps(runId);
  const attempts = steps.map((step) => `${step.step_id} ${step.attempt} ${step.status}`);
  return { status, sequence, cancelled_by, output_data, attempts };
}

/** A run started after others on the same single partitions has passed: whatever was there for them was dealt with. */
async function letEverythingPass(): Promise<void> {
  const name = `passing-${crypto.randomUUID()}`;
  const runId = await runOf(name);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
}

const calls = (agent: string) => stack.agents.callsOf(agent).map(({ body }) => body.step_id);

test('a pending run is cancelled, and its execution request comes to nothing', async () => {
  stack.hold('executionRequests', true);
  const runId = await runOf('not-begun');
  await cancel(runId);
  const cancelled = await stateOf(runId);
  expect(cancelled).toMatchObject({ status: 'CANCELLED', cancelled_by: 'ann', attempts: [] });
  stack.hold('executionRequests', false);
  await letEverythingPass();
  expect(await stateOf(runId)).toEqual(cancelled);
  expect(calls('not-begun')).toEqual([]);
});

test('a running agent’s answer changes nothing any more', async () => {
  const answer = Promise.withResolvers<void>();
  const runId = await runOf('slow', async ({ body }) => {
    await answer.promise;
    return { body: body.input_data };
  });
  await eventually(
    'the call',
    () => calls('slow'),
    (seen) => seen.length === 1,
  );
  await cancel(runId);
  const cancelled = await stateOf(runId);
  expect(cancelled).toMatchObject({ status: 'CANCELLED', attempts: ['s1 1 CANCELLED'] });
  answer.resolve();
  await letEverythingPass();
  expect(await stateOf(runId)).toEqual(cancelled);
  expect(calls('slow')).toEqual(['s1']);
});

test('an answer that is on its way changes nothing any more', async () => {
  stack.hold('results', true);
  const runId = await runOf('quick');
  await eventually(
    'the call',
    () => calls('quick'),
    (seen) => seen.length === 1,
  );
  await cancel(runId);
  const cancelled = await stateOf(runId);
  expect(cancelled).toMatchObject({ status: 'CANCELLED', attempts: ['s1 1 CANCELLED'] });
  stack.hold('results', false);
  await letEverythingPass();
  expect(await stateOf(runId)).toEqual(cancelled);
});

test('between two steps: the next step’s agent is not called', async () => {
  const runId = await runOf('two', ({ body }) => {
    stack.hold('httpTasks', true);
    return { body: body.input_data };
  });
  await stack.client.stepsWhen(runId, ([, second]) => second?.status === 'RUNNING');
  await cancel(runId);
  const cancelled = await stateOf(runId);
  expect(cancelled).toMatchObject({
    status: 'CANCELLED',
    attempts: ['s1 1 COMPLETED', 's2 1 CANCELLED'],
  });
  stack.hold('httpTasks', false);
  await letEverythingPass();
  expect(await stateOf(runId)).toEqual(cancelled);
  expect(calls('two')).toEqual(['s1']);
});

test('during a retry’s wait: its time comes and nothing happens', async () => {
  const retry = [{ max_attempts: 2, initial_interval_ms: 3_000, jitter: 'none' }];
  const runId = await runOf('waiting', () => ({ status: 503 }), retry);
  await stack.client.stepsWhen(runId, ([, second]) => second?.status === 'PENDING');
  await cancel(runId);
  const cancelled = await stateOf(runId);
  expect(cancelled).toMatchObject({
    status: 'CANCELLED',
    attempts: ['s1 1 FAILED', 's1 2 CANCELLED'],
  });
  const { due_at } = await stack.database.one<{ due_at: Date | null }>(
    'select due_at from step_executions where run_id = $1 and attempt = 2',
    [runId],
  );
  expect(due_at).toBeNull();
  await eventually('the time of the retry', () => performance.now(), hasPassed(3_000));
  await letEverythingPass();
  expect(await stateOf(runId)).toEqual(cancelled);
  expect(calls('waiting')).toEqual(['s1']);
});

function hasPassed(ms: number): () => boolean {
  const end = performance.now() + ms;
  return () => performance.now() >= end;
}

test('a late callback is refused, and changes nothing', async () => {
  const runId = await runOf('later', () => ({ status: 202 }));
  const [call] = await eventually(
    'the call',
    () => stack.agents.callsOf('later'),
    (seen) => seen.length === 1,
  );
  await cancel(runId);
  const cancelled = await stateOf(runId);
  for (const suffix of ['', '/fail']) {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ message: 'late' });
    const late = await fetch(`${call?.body.callback_url}${suffix}`, { method: 'POST', headers, body });
    expect(late.status).toBe(409);
  }
  expect(await stateOf(runId)).toEqual(cancelled);
});

test('a cancelled run can be resumed: its open step is done again', async () => {
  let isAnswering = false;
  const runId = await runOf('resumed', ({ body }) =>
    isAnswering ? { body: { message: body.step_id } } : { status: 202 },
  );
  await eventually(
    'the call',
    () => calls('resumed'),
    (seen) => seen.length === 1,
  );
  await cancel(runId);
  isAnswering = true;
  expect((await stack.client.send('POST', `/api/v1/runs/${runId}/retry`)).status).toBe(202);
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 's2' },
    cancelled_by: null,
  });
  expect((await stateOf(runId)).attempts).toEqual(['s1 1 CANCELLED', 's1 2 COMPLETED', 's2 1 COMPLETED']);
});
