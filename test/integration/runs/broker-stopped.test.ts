import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { removeWithLauncher } from '../../../localstack/guardian.ts';
import { type RunningKafka, startKafka } from '../../../localstack/kafka.ts';
import { eventually } from '../../support/eventually.ts';
import { FAN_OUT_ATTEMPTS, FAN_OUT_CHILD, fanOut, fanOutInput, fanOutOutput } from '../../support/fan-out.ts';
import { attemptsOf, expectNothingLeft } from '../../support/language-stack.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

// A broker of its own, since it goes away.
const dir = mkdtempSync(join(tmpdir(), 'stepline-broker-stopped-'));
let kafka: RunningKafka;
let stack: RunStack;
let workflowId: string;

beforeAll(async () => {
  removeWithLauncher(dir);
  kafka = await startKafka({ dir });
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: kafka.brokers });
  await stack.addAgent('worker');
  workflowId = await stack.client.createWorkflow(sequence('outage', 'worker', 5));
});
afterAll(async () => {
  await stack?.close();
  await kafka?.kill();
  rmSync(dir, { recursive: true, force: true });
});

async function brokerReturns(): Promise<void> {
  kafka = await startKafka({ dir, port: kafka.port });
}

test.each(['stop', 'kill'] as const)(
  'after a %s of the broker runs are still accepted; they say why they wait, and run when it is back',
  async (how) => {
    expect((await stack.client.ended(await stack.client.execute(workflowId))).status).toBe('COMPLETED');
    await kafka[how]();
    const runIds: string[] = [];
    for (let i = 0; i < 2; i++) {
      const asked = performance.now();
      const { status, body } = await stack.client.send<{ run_id: string; status: string }>(
        'POST',
        `/api/v1/workflows/${workflowId}/execute`,
        { body: { input_data: { message: i } } },
      );
      expect([status, body.status]).toEqual([202, 'PENDING']);
      // About a second of publishing, beside what a busy machine adds.
      expect(performance.now() - asked).toBeLessThan(5_000);
      runIds.push(body.run_id);
    }
    for (const runId of runIds) {
      expect(await stack.client.findRun(runId)).toMatchObject({
        status: 'PENDING',
        error_message: expect.stringMatching(
          /^The execution request is not published yet and will be: Kafka/,
        ),
      });
    }

    await brokerReturns();
    const back = performance.now();
    for (const [i, runId] of runIds.entries()) {
      expect(await stack.client.ended(runId)).toMatchObject({
        status: 'COMPLETED',
        output_data: { message: i },
        error_message: null,
        error_code: null,
      });
    }
    // A wake that was lost would come after a minute.
    expect(performance.now() - back).toBeLessThan(45_000);
    // What the broker did not confirm in time is published once more, by the timekeeper.
    await expect.poll(() => stack.database.many('select id, retry_at from outbox')).toEqual([]);
  },
);

test('runs that are under way when the broker goes away complete when it is back: steps, branches and items', async () => {
  const answer = Promise.withResolvers<void>();
  stack.agents.on('worker', async ({ body }) => {
    if (body.step_id === 's3') await answer.promise;
    return { body: body.input_data };
  });
  await stack.addAgent('held', async ({ body }) => {
    await answer.promise;
    return { body: body.input_data };
  });
  await stack.client.createWorkflow(FAN_OUT_CHILD);
  const fanOutId = await stack.client.createWorkflow({ name: 'fan-out-outage', ...fanOut('held') });
  const runId = await stack.client.execute(workflowId, { message: 'half way' });
  await eventually(
    'the third call',
    () => stack.agents.calls.filter(({ body }) => body.run_id === runId && body.step_id === 's3'),
    ({ length }) => length === 1,
  );
  const fanOutRunId = await stack.client.execute(fanOutId, fanOutInput('outage'));
  await eventually(
    'a branch and two items to be under way',
    () => attemptsOf(stack, fanOutRunId),
    (seen) => seen.filter((attempt) => attempt.endsWith(' RUNNING')).length === 5,
  );
  await kafka.kill();
  answer.resolve();
  await brokerReturns();
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'half way' },
  });
  const steps = await stack.client.findSteps(runId);
  expect(steps.map(({ step_id, attempt, status }) => [step_id, attempt, status])).toEqual([
    ['s1', 1, 'COMPLETED'],
    ['s2', 1, 'COMPLETED'],
    ['s3', 1, 'COMPLETED'],
    ['s4', 1, 'COMPLETED'],
    ['s5', 1, 'COMPLETED'],
  ]);
  expect(await stack.client.ended(fanOutRunId)).toMatchObject({
    status: 'COMPLETED',
    output_data: fanOutOutput('outage'),
  });
  expect((await attemptsOf(stack, fanOutRunId)).toSorted()).toEqual(FAN_OUT_ATTEMPTS);
  await expectNothingLeft(stack);
});
