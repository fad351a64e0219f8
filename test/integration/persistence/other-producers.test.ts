import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { BatchItem } from '../../../shared/application/batch.ts';
import type { JsonObject } from '../../../shared/engine/json.ts';
import { type EngineHarness, openEngineHarness, sequence } from '../../support/engine-harness.ts';

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());

/** As api-executor-integration shows it. */
function workflowPlan(given: object = {}): JsonObject {
  return {
    workflow_id: 'wf-data-pipeline-1',
    name: 'data-pipeline',
    version: '1',
    start_step: 'extract',
    steps: {
      extract: {
        id: 'extract',
        agent_name: 'data-extractor',
        next_step: null,
        input_mapping: { source: '$.workflow_input.source_url' },
      },
    },
    ...given,
  };
}

/** The row of a producer that knows the sources' columns and no other. */
async function insertRun(): Promise<string> {
  const runId = `run-${randomUUID()}`;
  await engine.database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, input_data, triggered_by)
     values ($1, 'wf-data-pipeline-1', 'data-pipeline', 'PENDING', '{"source_url": "s3://bucket/data.csv"}', 'theirs')`,
    [runId],
  );
  return runId;
}

async function inlineVersions(): Promise<number> {
  const { count } = await engine.database.one<{ count: number }>(
    'select count(*) from workflow_versions where workflow_id is null',
  );
  return count;
}

const requested = { type: 'execution_requested' } as const;
const cancellation = { type: 'cancellation_requested', by: 'them', reason: null } as const;

describe('another producer', () => {
  it.each(['the last step', 'a step before it'])(
    'ends a run in its row, at %s: what an environment keeps of it is no run',
    async (which) => {
      const steps = which === 'the last step' ? ['a'] : ['a', 'b'];
      const { workflowId } = await engine.registerWorkflow(sequence(steps));
      const runId = await engine.start(workflowId);
      await engine.decide(runId, requested);
      await engine.database.execute(
        `update workflow_runs set status = 'CANCELLED', cancelled_at = now(), completed_at = now(), cancelled_by = 'them' where run_id = $1`,
        [runId],
      );
      const answer = { status: 'completed', output: 1 } as const;
      expect(await engine.answer(runId, answer)).toEqual({ outcome: 'refused', code: 'RUN_CLOSED' });
      expect(await engine.runRow(runId)).toMatchObject({
        status: 'CANCELLED',
        cancelled_by: 'them',
        output_data: null,
      });
    },
  );

  it('may give attempts of two runs one id: what ends is the run’s own', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const runIds = [
      await engine.start(workflowId),
      await engine.start(workflowId),
      await engine.start(workflowId),
    ].sort();
    for (const runId of runIds) await engine.decide(runId, requested);
    const [first, between, last] = runIds as [string, string, string];
    const [attempt] = await engine.attemptRows(first);
    await engine.database.execute('update step_executions set step_execution_id = $1 where run_id = $2', [
      attempt?.step_execution_id,
      between,
    ]);
    const cancelled = { type: 'cancellation_requested', by: 'ann', reason: null } as const;
    const outcomes = await engine.processBatch([first, last].map((runId) => ({ runId, event: cancelled })));
    expect(outcomes.map((outcome) => outcome.outcome)).toEqual(['decided', 'decided']);
    const statusOf = async (runId: string) => (await engine.attemptRows(runId)).map(({ status }) => status);
    expect(await Promise.all(runIds.map(statusOf))).toEqual([['CANCELLED'], ['RUNNING'], ['CANCELLED']]);
  });
});

describe("another producer's run", () => {
  it('takes the plan of its execution request, which is stored, and is executed', async () => {
    const runId = await insertRun();
    expect(await engine.decide(runId, requested, workflowPlan())).toEqual({
      outcome: 'decided',
      status: 'RUNNING',
    });
    expect(await engine.attemptRows(runId)).toMatchObject([
      { step_id: 'extract', input_data: { source: 's3://bucket/data.csv' } },
    ]);
    await engine.answer(runId, { status: 'completed', output: { rows: 1 } });
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { rows: 1 },
      owner: null,
      workflow_version_id: expect.any(String),
    });
  });

  it('is looked at by the timekeeper like any other (I7)', async () => {
    const runId = await insertRun();
    expect(await engine.runRow(runId)).toMatchObject({ sequence: 0, wake_at: expect.any(Date) });
  });

  it('without a plan can do nothing yet', async () => {
    const runId = await insertRun();
    const wake = { type: 'woken', stepExecutionId: null, at: Date.now() } as const;
    expect(await engine.decide(runId, wake)).toEqual({ outcome: 'refused', code: 'NO_PLAN' });
    expect(await engine.decide(runId, { type: 'retry_requested' })).toEqual({
      outcome: 'refused',
      code: 'NO_PLAN',
    });
  });

  it('without a plan can be cancelled, and stays so when its request comes', async () => {
    const runId = await insertRun();
    expect(await engine.decide(runId, cancellation)).toEqual({ outcome: 'decided', status: 'CANCELLED' });
    expect(await engine.runRow(runId)).toMatchObject({ status: 'CANCELLED', cancelled_by: 'them' });
    expect(await engine.decide(runId, requested, workflowPlan())).toEqual({
      outcome: 'refused',
      code: 'RUN_CLOSED',
    });
  });

  it('is cancelled with the open steps that they wrote, whatever they call them', async () => {
    const runId = await insertRun();
    const stepExecutionId = `step-exec-${randomUUID()}`;
    await engine.database.execute(`update workflow_runs set status = 'RUNNING' where run_id = $1`, [runId]);
    await engine.database.execute(
      `insert into step_executions (step_execution_id, run_id, step_id, step_name, agent_name, status)
       values ($1, $2, 'extract', 'extract', 'data-extractor', 'RUNNING')`,
      [stepExecutionId, runId],
    );
    expect(await engine.decide(runId, cancellation)).toEqual({ outcome: 'decided', status: 'CANCELLED' });
    expect(await engine.attemptRows(runId)).toMatchObject([{ status: 'CANCELLED' }]);
  });

  it('fails with the reason where its plan is not valid', async () => {
    const runId = await insertRun();
    expect(await engine.decide(runId, requested, workflowPlan({ steps: {} }))).toEqual({
      outcome: 'decided',
      status: 'FAILED',
    });
    expect(await engine.runRow(runId)).toMatchObject({
      error_code: 'INVALID_PLAN',
      error_message:
        'The workflow_plan of the execution request is not valid: steps: expected at least one step',
      workflow_version_id: null,
    });
  });

  it('is cancelled, not failed, by a cancellation before an invalid plan', async () => {
    const runId = await insertRun();
    expect(
      await engine.processBatch([
        { runId, event: cancellation },
        { runId, event: requested, inlinePlan: workflowPlan({ steps: {} }) },
      ]),
    ).toEqual([
      { outcome: 'decided', status: 'CANCELLED' },
      { outcome: 'refused', code: 'RUN_CLOSED' },
    ]);
  });

  it('stores a reason of a bounded length', async () => {
    const runId = await insertRun();
    const unknown = Array.from({ length: 100 }, (_, i) => [`x${i}${'y'.repeat(100)}`, 1] as const);
    await engine.decide(runId, requested, workflowPlan(Object.fromEntries(unknown)));
    expect((await engine.runRow(runId)).error_message).toHaveLength(4_000);
  });

  it('keeps the plan that it has: what a record carries does not replace it', async () => {
    const runId = await insertRun();
    await engine.decide(runId, requested, workflowPlan());
    const { workflow_version_id } = await engine.runRow(runId);
    await engine.decide(runId, requested, workflowPlan({ name: 'another' }));
    expect(await engine.runRow(runId)).toMatchObject({ workflow_version_id });
  });

  it('shares its plan with the runs that came with the same, from environments at once too', async () => {
    const others = [engine, engine.environment(), engine.environment()];
    const before = await inlineVersions();
    const batches = await Promise.all(
      others.map(async (): Promise<BatchItem[]> => {
        const runIds = await Promise.all(Array.from({ length: 8 }, insertRun));
        return runIds.map((runId, i) => ({
          runId,
          event: requested,
          inlinePlan: workflowPlan({ name: `shared-${i % 4}` }),
        }));
      }),
    );
    const outcomes = await Promise.all(
      others.map(({ processBatch }, i) => processBatch(i === 1 ? batches[i]!.toReversed() : batches[i]!)),
    );
    expect(outcomes.flat()).toEqual(
      Array.from({ length: 24 }, () => ({ outcome: 'decided', status: 'RUNNING' })),
    );
    expect((await inlineVersions()) - before).toBe(4);
  });
});
