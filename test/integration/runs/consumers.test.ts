import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

let stack: RunStack;
let workflowId: string;
beforeAll(async () => {
  stack = await startRunStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    timekeepers: 2,
  });
  await stack.addAgent('worker');
  workflowId = await stack.client.createWorkflow(sequence('queued', 'worker', 2));
  // Over connections that are there no publishing comes to its time limit.
  await stack.client.ended(await stack.client.execute(workflowId, { message: 'warm' }));
});
afterAll(() => stack?.close());

const COUNT = 20;

test('while no consumer runs requests queue, and on return they are executed in order', async () => {
  await stack.stopConsumers();
  const runIds: string[] = [];
  for (let i = 0; i < COUNT; i++) runIds.push(await stack.client.execute(workflowId, { message: i }));
  const waiting = await Promise.all(runIds.map((runId) => stack.client.findRun(runId)));
  expect(waiting.map(({ status, error_message }) => [status, error_message])).toEqual(
    runIds.map(() => ['PENDING', null]),
  );

  await stack.startConsumers();
  for (const [i, runId] of runIds.entries()) {
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: i },
    });
  }
  const firstCalls = stack.agents.calls.filter(
    ({ body }) => body.step_id === 's1' && runIds.includes(body.run_id),
  );
  expect(firstCalls.map(({ body }) => body.run_id)).toEqual(runIds);
});

test('two timekeepers at once: each retry is started once, at its time', async () => {
  await stack.addAgent('flaky', ({ body, count }) =>
    count === 1 ? { status: 503 } : { body: body.input_data },
  );
  const retry = { max_attempts: 2, initial_interval_ms: 100, jitter: 'none' };
  const id = await stack.client.createWorkflow(sequence('flaky', 'flaky', 1, { retry }));
  const runIds = await Promise.all(Array.from({ length: COUNT }, () => stack.client.execute(id)));
  for (const runId of runIds) {
    expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
    const steps = await stack.client.findSteps(runId);
    expect(steps.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'FAILED'],
      [2, 'COMPLETED'],
    ]);
    const [failed, completed] = steps;
    const waitedMs = Date.parse(completed?.started_at ?? '') - Date.parse(failed?.completed_at ?? '');
    expect(waitedMs).toBeGreaterThanOrEqual(100);
  }
  const attempts = stack.agents.callsOf('flaky').map(({ body }) => body.step_execution_id);
  expect(new Set(attempts).size).toBe(2 * COUNT);
  expect(attempts).toHaveLength(2 * COUNT);
});

test('two timekeepers publish what was left behind, and leave nothing', async () => {
  stack.hold('executionRequests', true);
  const runIds = await Promise.all(Array.from({ length: COUNT }, () => stack.client.execute(workflowId)));
  // As if nobody had come to publish them: their requests are back in the outbox, and old.
  const { executionRequests } = stack.environment.topics;
  for (const runId of runIds) {
    const request = { message_type: 'execution_request', run_id: runId, timestamp: new Date().toISOString() };
    const planOf = (
      await stack.database.one<{ workflow_version_id: string }>(
        'select workflow_version_id from workflow_runs where run_id = $1',
        [runId],
      )
    ).workflow_version_id;
    await stack.database.execute(
      "insert into outbox (id, messages, created_at) values (gen_random_uuid(), $1, now() - interval '1 minute')",
      [JSON.stringify([{ topic: executionRequests, key: runId, value: request, planOf }])],
    );
  }
  await expect.poll(() => stack.database.many('select id from outbox')).toEqual([]);
  stack.hold('executionRequests', false);
  for (const runId of runIds) {
    expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
    expect((await stack.client.findSteps(runId)).map(({ step_id, attempt }) => [step_id, attempt])).toEqual([
      ['s1', 1],
      ['s2', 1],
    ]);
  }
});
