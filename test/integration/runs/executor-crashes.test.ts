import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, inject, test } from 'vitest';
import type { MonitoringUpdate } from '../../../shared/messages/messages.ts';
import { FAN_OUT_ATTEMPTS, FAN_OUT_CHILD, fanOut, fanOutInput, fanOutOutput } from '../../support/fan-out.ts';
import { attemptsOf, expectNothingLeft } from '../../support/language-stack.ts';
import { type ProcessStack, startProcessStack } from '../../support/process-stack.ts';
import { sequence } from '../../support/sequence.ts';

/*
 * The executor is killed with SIGKILL between any two of: load, commit, publish, offset commit. fixtures/crashing-executor.ts
 * is the real one, in processes of its own, with the points put around its ways out.
 */
const points = ['loaded', 'saving', 'committed', 'published', 'answering'] as const;
const stepExecutorEntry = fileURLToPath(new URL('./fixtures/crashing-executor.ts', import.meta.url));
const STEPS = 5;
/** What an agent was called for when the executor was killed comes again when the timekeeper finds it. */
const ENDS_WITHIN_MS = 180_000;
/** The execution request and the answer to each step. */
const RECORDS = STEPS + 1;
/**
 * The execution request, the requests and answers of the agent's step and of three items, the requests of the map, of both
 * containers when they are over and of the child's step, and the child's answer.
 */
const FAN_OUT_RECORDS = 1 + 2 * 4 + 1 + 2 + 1 + 1;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function startCrashing(
  stepBatchSize: number,
): Promise<{ stack: ProcessStack; crashes: () => string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-crashes-'));
  closers.push(async () => rmSync(folder, { recursive: true }));
  const stack = await startProcessStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    partitions: 2,
    batchSizes: { stepBatchSize, bridgeBatchSize: 10 },
    stepExecutorEntry,
    variables: { CRASH_FOLDER: folder },
  });
  closers.push(stack.close);
  await stack.addAgent('worker');
  return { stack, crashes: () => readdirSync(folder) };
}

/** Each step has one attempt, which completed; the agents were called for nothing else; and nothing waits for anything. */
async function expectExactlyOnce(
  { database, client, agents }: ProcessStack,
  runIds: readonly string[],
  stepCount: number,
) {
  for (const runId of runIds) {
    const steps = await client.findSteps(runId);
    expect(steps.map(({ step_id, attempt, status }) => `${step_id} ${attempt} ${status}`)).toEqual(
      Array.from({ length: stepCount }, (_, i) => `s${i + 1} 1 COMPLETED`),
    );
    const called = agents.calls.filter(({ body }) => body.run_id === runId);
    expect(new Set(called.map(({ body }) => body.step_execution_id))).toEqual(
      new Set(steps.map(({ step_execution_id }) => step_execution_id)),
    );
    expect(new Set(called.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(stepCount);
  }
  await expectNothingLeft({ database });
}

test('killed at every decision of a run, at any point, the run completes and no step completes twice', async () => {
  const { stack, crashes } = await startCrashing(1);
  const { client } = stack;
  const updates = await stack.readTopic<MonitoringUpdate>('monitoringUpdates');
  const runs = await Promise.all(
    points.map(async (point) => {
      const workflowId = await client.createWorkflow(sequence(`crash-${point}`, 'worker', STEPS));
      return { point, runId: await client.execute(workflowId, { message: point }) };
    }),
  );
  for (const { point, runId } of runs) {
    expect(await client.ended(runId, ENDS_WITHIN_MS)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: point },
    });
  }
  await expectExactlyOnce(
    stack,
    runs.map(({ runId }) => runId),
    STEPS,
  );
  for (const { point, runId } of runs) {
    const crashed = crashes().filter((name) => name.startsWith(`${point}.${runId}`));
    // On a machine that is busy enough a publishing comes to its time limit, and so not to that point.
    if (point === 'published') expect(crashed).not.toEqual([]);
    else expect(crashed).toHaveLength(RECORDS);
    // One sequence number to each transition, and none missing, whatever was published twice.
    const { sequence } = await client.findRun(runId);
    const ofRun = await updates.when(({ value }) => value.run_id === runId && value.sequence === sequence, 1);
    expect(ofRun[0]?.value).toMatchObject({ status: 'COMPLETED', step_id: null });
    const numbers = updates.records
      .filter(({ value }) => value.run_id === runId)
      .flatMap(({ value }) => value.transitions.map((transition) => transition.sequence));
    expect([...new Set(numbers)].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: sequence }, (_, i) => i + 1),
    );
  }
});

test('killed with batches of many runs, every run completes and no step completes twice', async () => {
  const { stack, crashes } = await startCrashing(10);
  const { client } = stack;
  const batchPoints = ['saving', 'committed', 'published'] as const;
  const workflowIds = await Promise.all(
    batchPoints.map((point) => client.createWorkflow(sequence(`crash-${point}`, 'worker', 2))),
  );
  const executed = [...workflowIds, ...workflowIds].map((id) => client.execute(id));
  const runIds = await Promise.all(executed);
  for (const runId of runIds) expect((await client.ended(runId, ENDS_WITHIN_MS)).status).toBe('COMPLETED');
  await expectExactlyOnce(stack, runIds, 2);
  const crashedAt = new Set(crashes().map((name) => name.split('.')[0]));
  expect(crashedAt).toEqual(new Set(batchPoints));
});

test('killed in a fan-out, in its joins, its window of items and the start of a child, the run completes', async () => {
  const { stack, crashes } = await startCrashing(1);
  const { client } = stack;
  await client.createWorkflow(FAN_OUT_CHILD);
  const id = await client.createWorkflow({ name: 'crash-in-turn', ...fanOut('worker') });
  const messages = ['one', 'other'];
  const runIds = await Promise.all(messages.map((message) => client.execute(id, fanOutInput(message))));
  for (const [i, runId] of runIds.entries()) {
    expect(await client.ended(runId, ENDS_WITHIN_MS)).toMatchObject({
      status: 'COMPLETED',
      output_data: fanOutOutput(messages[i] ?? ''),
    });
    expect((await attemptsOf(stack, runId)).toSorted()).toEqual(FAN_OUT_ATTEMPTS);
    const children = await stack.database.many('select status from workflow_runs where parent_run_id = $1', [
      runId,
    ]);
    expect(children).toEqual([{ status: 'COMPLETED' }]);
    const calls = stack.agents.calls.filter(({ body }) => body.run_id === runId);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(4);
  }
  await expectNothingLeft(stack);
  // Where a publishing comes to its time limit, none was at that point, and the next record's turn it was.
  expect(crashes().length).toBeGreaterThan(FAN_OUT_RECORDS);
  expect(new Set(crashes().map((name) => name.split('.')[0]))).toEqual(new Set(points));
});
