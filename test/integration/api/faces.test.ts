import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openRunHarness, type RunHarness } from './run-harness.ts';

/* One run seen through all three faces is the same run: ids, times, outcome. */

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const COMMUNITY = 123;
type Status = 'pending' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

const pause = (runId: string) =>
  api.engine.database.execute('update workflow_runs set paused_at = now() where run_id = $1', [runId]);

const makers: Record<Status, (runId: string) => Promise<unknown>> = {
  pending: async () => {},
  running: (runId) => api.pickUp(runId),
  paused: async (runId) => {
    await api.pickUp(runId);
    await pause(runId);
  },
  completed: async (runId) => {
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId);
  },
  failed: async (runId) => {
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId, true);
  },
  cancelled: async (runId) => {
    await api.pickUp(runId);
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${runId}/cancel` });
  },
};

describe.each(Object.keys(makers) as Status[])('a run that is %s', (status) => {
  it('is the same on every face, in every list and by its ETag', async () => {
    const asAnn = api.as('ann');
    const runId = await api.startedRun({ community_id: COMMUNITY, variables: { source_url: 's3://b/d' } });
    await makers[status](runId);
    const id = runId.slice('run-'.length);
    const isClosed = ['completed', 'failed', 'cancelled'].includes(status);

    const faces = {
      run: await asAnn({ path: `/api/v1/runs/${runId}` }),
      execution: await asAnn({ path: `/api/v1/workflows/executions/${id}?include_metrics=true` }),
      plain: await asAnn({ path: `/api/workflows/executions/${id}` }),
      listedRuns: await asAnn({ path: `/api/v1/runs?limit=1000` }),
      listedExecutions: await asAnn({
        path: `/api/v1/workflows/${api.workflowId}/executions?community_id=${COMMUNITY}&status=${status}&per_page=100`,
      }),
      listedPlain: await asAnn({ path: `/api/workflows/executions?status_filter=${status}&limit=100` }),
      logs: await asAnn({ path: `/api/workflows/executions/${id}/logs` }),
      steps: await asAnn({ path: `/api/v1/runs/${runId}/steps` }),
    };
    expect(Object.values(faces).map((answer) => answer.status)).toEqual(Array(8).fill(200));

    const byId = (field: string) => (item: Record<string, unknown>) => item[field] === id;
    const run = faces.run.body.data;
    const execution = faces.execution.body.data;
    const plain = faces.plain.body;
    const listed = faces.listedExecutions.body.data.find(byId('execution_id'));
    expect(faces.listedRuns.body.data.find(byId('execution_id'))).toMatchObject({
      run_id: runId,
      status: run.status,
    });
    expect(faces.listedPlain.body.find(byId('id'))).toEqual(plain);
    expect([execution.execution_id, plain.id, listed.execution_id]).toEqual(Array(3).fill(run.execution_id));
    expect([execution.workflow_id, plain.workflow_id, listed.workflow_id]).toEqual(
      Array(3).fill(run.workflow_definition_id),
    );
    expect([execution.start_time, plain.started_at, listed.start_time]).toEqual(
      Array(3).fill(run.started_at),
    );
    expect([execution.end_time, plain.completed_at, listed.end_time]).toEqual(
      Array(3).fill(run.completed_at),
    );
    expect([execution.status, plain.status, listed.status]).toEqual(Array(3).fill(status));
    expect(run.status.toLowerCase()).toBe(status);
    expect([execution.final_output, plain.output_data]).toEqual(Array(2).fill(run.output_data));
    expect([execution.error_message, plain.error_message, listed.error]).toEqual(
      Array(3).fill(run.error_message),
    );
    expect(execution.error_node_id).toBe(run.error_step_id);
    expect(listed.success).toBe(status === 'completed');
    expect(listed.nodes_executed).toBe(execution.metrics.nodes_executed);
    expect([execution.final_variables, plain.input_data]).toEqual(Array(2).fill(run.variables));
    expect(faces.logs.body.map((entry: { id: string }) => entry.id)).toEqual(
      faces.steps.body.data.map((step: { step_execution_id: string }) => step.step_execution_id),
    );
    expect(execution.execution_path).toEqual(
      faces.steps.body.data.map((step: { step_id: string }) => step.step_id),
    );

    for (const path of [
      `/api/v1/runs/${runId}`,
      `/api/v1/runs/${runId}/steps`,
      `/api/v1/workflows/executions/${id}?include_metrics=true`,
      `/api/workflows/executions/${id}`,
      `/api/workflows/executions/${id}/logs`,
    ]) {
      const { headers } = await asAnn({ path });
      expect([path, 'ETag' in headers]).toEqual([path, isClosed]);
      if (!isClosed) continue;
      const again = await asAnn({ path, headers: { 'If-None-Match': headers.ETag! } });
      expect([again.status, again.body, again.headers.ETag]).toEqual([304, null, headers.ETag]);
    }
  });
});

it('an ETag holds no longer once the run goes on', async () => {
  const asAnn = api.as('ann');
  const runId = await api.startedRun();
  await makers.failed(runId);
  const path = `/api/workflows/executions/${runId.slice('run-'.length)}`;
  const { headers } = await asAnn({ path });
  await asAnn({ method: 'POST', path: `/api/v1/runs/${runId}/retry` });
  const retried = await asAnn({ path, headers: { 'If-None-Match': headers.ETag! } });
  expect([retried.status, retried.body.status]).toEqual([200, 'running']);
  const stepExecutionId = await api.openAttempt(runId);
  await api.engine.processBatch([{ runId, event: { type: 'step_requested', stepExecutionId } }]);
  await api.settle(runId);
  const completed = await asAnn({ path, headers: { 'If-None-Match': headers.ETag! } });
  expect([completed.status, completed.body.status]).toEqual([200, 'completed']);
  expect(completed.headers.ETag).not.toBe(headers.ETag);
});
