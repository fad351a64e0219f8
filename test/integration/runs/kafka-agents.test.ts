import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { AgentTask } from '../../../shared/messages/messages.ts';
import { eventually } from '../../support/eventually.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

let stack: RunStack;
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => stack?.close());

const answer = ({ run_id, step_execution_id, attempt, result_token }: AgentTask, output_data: unknown) =>
  stack.produce('results', run_id, {
    message_type: 'agent_result',
    run_id,
    step_execution_id,
    attempt,
    status: 'completed',
    output_data,
    result_token,
  });

const timeOf = ({ timestamp, deadline }: AgentTask) => Date.parse(deadline) - Date.parse(timestamp);

const deadlinesOf = (runId: string) =>
  stack.database.many<{ attempt: number; in_ms: number }>(
    `select attempt, (extract(epoch from deadline_at - started_at) * 1000)::int as in_ms
       from step_executions where run_id = $1 order by attempt`,
    [runId],
  );

test('an agent on its own topic has the time that its step gives, from the publication of its task', async () => {
  const tasks = await stack.addKafkaAgent('answers');
  const workflowId = await stack.client.createWorkflow(
    sequence('answers', 'answers', 1, { timeout_seconds: 600, retry: [] }),
  );
  const runId = await stack.client.execute(workflowId);
  const [task] = await tasks.when(({ value }) => value.run_id === runId, 1);
  expect(timeOf(task!.value)).toBeGreaterThanOrEqual(600_000);
  expect(timeOf(task!.value)).toBeLessThan(660_000);
  const [deadline] = await eventually(
    'its clock',
    () => deadlinesOf(runId),
    ([row]) => (row?.in_ms ?? Infinity) < 3_600_000,
  );
  expect(deadline?.in_ms).toBeGreaterThanOrEqual(600_000);
  await answer(task!.value, { done: true });
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { done: true },
  });
});

test('where neither the step nor the agent says, it has a minute; the agent’s own comes before that', async () => {
  for (const [name, timeoutSeconds, expected] of [
    ['silent-by-default', undefined, 60_000],
    ['silent-by-itself', 300, 300_000],
  ] as const) {
    const tasks = await stack.addKafkaAgent(name, timeoutSeconds === undefined ? {} : { timeoutSeconds });
    const runId = await stack.client.execute(await stack.client.createWorkflow(sequence(name, name, 1)));
    const [task] = await tasks.when(({ value }) => value.run_id === runId, 1);
    expect(timeOf(task!.value)).toBeGreaterThanOrEqual(expected);
    expect(timeOf(task!.value)).toBeLessThan(expected + 60_000);
    await stack.client.send('POST', `/api/v1/runs/${runId}/cancel`, { body: {} });
  }
});

test('one that does not answer in its time fails its step with TIMEOUT, by its retry policy; what comes late is refused', async () => {
  const tasks = await stack.addKafkaAgent('never');
  const retry = { max_attempts: 2, initial_interval_ms: 10, jitter: 'none' };
  const runId = await stack.client.execute(
    await stack.client.createWorkflow(sequence('never', 'never', 1, { timeout_seconds: 2, retry })),
  );
  expect(await stack.client.ended(runId, 120_000)).toMatchObject({
    status: 'FAILED',
    error_code: 'TIMEOUT',
    error_message: expect.stringMatching(/failed with TIMEOUT on attempt 2: No answer came by \d{4}-/),
  });
  const attempts = await stack.client.findSteps(runId);
  expect(attempts.map(({ attempt, status, error_code }) => [attempt, status, error_code])).toEqual([
    [1, 'FAILED', 'TIMEOUT'],
    [2, 'FAILED', 'TIMEOUT'],
  ]);
  // Each attempt's task was published once: it was there.
  const [first] = await tasks.when(({ value }) => value.run_id === runId, 2);
  expect(tasks.records.map(({ value }) => value.attempt)).toEqual([1, 2]);
  await answer(first!.value, { done: 'late' });
  const probe = await stack.client.execute(
    await stack.client.createWorkflow(sequence('after', 'never', 1, { timeout_seconds: 2, retry: [] })),
  );
  await stack.client.ended(probe, 120_000);
  expect((await stack.client.findRun(runId)).status).toBe('FAILED');
});
