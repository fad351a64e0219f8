import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openRunHarness, type RunHarness } from './run-harness.ts';

/* Every request that the documents of the executions face and of the plain face show, as it is written there. */

let api: RunHarness;
let apiKey: string;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  apiKey = (await api.makeApiKey('ann', [], { communities: [123] })).key;
});
afterAll(() => api?.close());

const json = { 'Content-Type': 'application/json' };

describe('the executions face, by API key', () => {
  const send = (method: string, path: string, body?: unknown) =>
    api.send({ method, path, body, headers: { 'X-API-Key': apiKey, ...(body === undefined ? {} : json) } });

  it.each([
    [
      'the first example',
      {
        community_id: 123,
        variables: { param1: 'value1', param2: 'value2' },
        metadata: { trigger_source: 'api', session_id: 'sess_123' },
      },
    ],
    ['authentication', { community_id: 123, variables: { param1: 'value' } }],
    [
      'usage',
      {
        community_id: 123,
        variables: { user_name: 'john_doe', action: 'send_message' },
        metadata: { session_id: 'sess_abc123' },
      },
    ],
  ])('executes a workflow: %s', async (_where, body) => {
    const answer = await send('POST', `/api/v1/workflows/${api.workflowId}/execute`, body);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      success: true,
      message: 'Workflow execution started',
      data: { workflow_id: api.workflowId, status: 'running', execution_path: [] },
    });
  });

  it.each([
    [
      'the first example',
      {
        community_id: 123,
        variables: { param1: 'test_value' },
        metadata: { session_id: 'test_sess_123' },
      },
    ],
    ['usage', { community_id: 123, variables: { test_param: 'test_value' } }],
  ])('tests a workflow: %s', async (_where, body) => {
    const answer = await send('POST', `/api/v1/workflows/${api.workflowId}/test`, body);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      success: true,
      message: 'Workflow test completed',
      data: {
        workflow_id: api.workflowId,
        test_mode: true,
        status: 'completed',
        final_variables: body.variables,
        summary: { nodes_executed: 2, nodes_failed: 0, passed: true },
      },
    });
  });

  it('gets details, lists and cancels', async () => {
    const body = { community_id: 123, variables: {} };
    const { data } = (await send('POST', `/api/v1/workflows/${api.workflowId}/execute`, body)).body;
    const details = await send('GET', `/api/v1/workflows/executions/${data.execution_id}`);
    expect([details.status, details.body.data.execution_id]).toEqual([200, data.execution_id]);
    const listed = await send(
      'GET',
      `/api/v1/workflows/${api.workflowId}/executions?community_id=123&status=completed&page=1&per_page=20`,
    );
    expect(listed.status).toBe(200);
    expect(listed.body).toMatchObject({
      success: true,
      data: [],
      meta: {
        pagination: { page: 1, per_page: 20, total: 0, total_pages: 0, has_next: false, has_prev: false },
      },
    });
    const cancelled = await send('POST', `/api/v1/workflows/executions/${data.execution_id}/cancel`);
    expect([cancelled.status, cancelled.body.data.status]).toEqual([200, 'cancelled']);
  });
});

describe('the plain face, by JWT', () => {
  const execute = () =>
    api.as('ann')({
      method: 'POST',
      path: `/api/workflows/${api.workflowId}/execute`,
      body: { input_data: { message: 'Hello World' } },
      headers: json,
    });

  it('executes, shows, logs, cancels and lists', async () => {
    const started = await execute();
    expect(started.status).toBe(202);
    const id = started.body.execution_id;
    await api.pickUp(`run-${id}`);
    const shown = await api.as('ann')({ path: `/api/workflows/executions/${id}` });
    expect(shown.body).toMatchObject({ id, status: 'running', input_data: { message: 'Hello World' } });
    const logs = await api.as('ann')({ path: `/api/workflows/executions/${id}/logs?step_type=ai&limit=50` });
    expect([logs.status, logs.body]).toEqual([200, []]);
    const listed = await api.as('ann')({ path: '/api/workflows/executions?status_filter=running&limit=20' });
    expect(listed.body.map((one: { id: string }) => one.id)).toEqual([id]);
    const cancelled = await api.as('ann')({
      method: 'POST',
      path: `/api/workflows/executions/${id}/cancel`,
    });
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled']);
  });
});
