import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const variables = { source_url: 's3://bucket/data.csv' };
const idOf = (runId: string) => runId.slice('run-'.length);
const execution = (runId: string, query = '') => `/api/v1/workflows/executions/${idOf(runId)}${query}`;
const started = (community = 1) => api.startedRun({ community_id: community, variables });

describe('an execution', () => {
  it('has the states of its nodes, as documented', async () => {
    const runId = await started();
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId);
    const { status, body } = await api.as('ann')({ path: execution(runId) });
    expect(status).toBe(200);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const node = (node_id: string, agent_name: string, input_data: unknown) => ({
      node_id,
      status: 'completed',
      started_at: time,
      completed_at: time,
      input_data,
      output_data: { result: { port_name: 'result', data: { rows: 3 }, timestamp: time } },
      retry_count: 0,
      logs: ['one line'],
      error: null,
      error_type: null,
      metadata: { step_name: node_id, step_type: 'agent', agent_name, visit: 1, scope: '' },
    });
    expect(body).toEqual({
      success: true,
      message: 'Execution retrieved',
      meta: {},
      data: {
        execution_id: idOf(runId),
        workflow_id: api.workflowId,
        status: 'completed',
        start_time: time,
        end_time: time,
        execution_time_seconds: expect.any(Number),
        execution_path: ['extract', 'transform'],
        node_states: {
          extract: node('extract', 'data-extractor', { source: variables.source_url }),
          transform: node('transform', 'data-transformer', { data: { rows: 3 } }),
        },
        final_variables: variables,
        final_output: { rows: 3 },
        error_message: null,
        error_node_id: null,
      },
    });
  });

  it('has metrics and logs as they are asked for', async () => {
    const runId = await started();
    await api.pickUp(runId);
    await api.settle(runId, true);
    const { body } = await api.as('ann')({
      path: execution(runId, '?include_metrics=true&include_logs=false'),
    });
    expect(body.data.metrics).toEqual({
      execution_id: idOf(runId),
      workflow_id: api.workflowId,
      total_duration_seconds: body.data.execution_time_seconds,
      node_count: 2,
      nodes_executed: 1,
      nodes_skipped: 1,
      nodes_failed: 1,
      average_node_time_seconds: expect.any(Number),
      slowest_node_id: 'extract',
      slowest_node_time_seconds: body.data.metrics.average_node_time_seconds,
      variable_count: 1,
      memory_used_mb: null,
      timestamp: body.data.end_time,
    });
    expect(body.data.node_states).toMatchObject({
      extract: { status: 'failed', error: 'It broke', error_type: 'BROKEN', logs: [] },
      transform: { status: 'skipped', started_at: null, logs: [] },
    });
    expect(body.data).toMatchObject({
      status: 'failed',
      error_node_id: 'extract',
      execution_path: ['extract'],
    });
    const { error_message } = body.data;
    expect(error_message).toContain('It broke');
  });

  it('counts retries, and shows the last attempt', async () => {
    const runId = await started();
    await api.pickUp(runId);
    await api.settle(runId, true);
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${runId}/retry` });
    const requested = await api.as('ann')({ path: execution(runId) });
    expect(requested.body.data.node_states.extract).toMatchObject({ status: 'ready', retry_count: 1 });
    await api.engine.database.execute('update workflow_runs set paused_at = now() where run_id = $1', [
      runId,
    ]);
    const paused = await api.as('ann')({ path: execution(runId) });
    expect(paused.body.data).toMatchObject({
      status: 'paused',
      node_states: { extract: { status: 'paused' }, transform: { status: 'pending' } },
    });
  });

  it('shows what waits for its retry as pending, and a run that nobody picked up with all steps to come', async () => {
    const runId = await started();
    const pending = await api.as('ann')({ path: execution(runId) });
    expect(pending.body.data).toMatchObject({
      status: 'pending',
      end_time: null,
      execution_time_seconds: null,
      execution_path: [],
      node_states: { extract: { status: 'pending' }, transform: { status: 'pending' } },
    });
    await api.pickUp(runId);
    const stepExecutionId = await api.openAttempt(runId);
    const error = { code: 'BUSY', message: 'Later', retryable: true, retryAfterMs: 60_000 };
    await api.engine.processBatch([
      {
        runId,
        event: {
          type: 'agent_answered',
          stepExecutionId,
          attempt: null,
          logs: null,
          outcome: { status: 'failed', error },
        },
      },
    ]);
    const { body } = await api.as('ann')({ path: execution(runId) });
    expect(body.data.node_states.extract).toMatchObject({ status: 'pending', retry_count: 1 });
  });

  it('shows 1,000 nodes at the most, each visit by a key of its own', async () => {
    const runId = await started();
    await api.engine.database.execute(
      `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, visit, created_at)
       select $1, gen_random_uuid(), 'extract', 'extract', 'a', 'COMPLETED', n, now() + n * interval '1 millisecond'
         from generate_series(1, 1001) n`,
      [runId],
    );
    const { body } = await api.as('ann')({ path: execution(runId) });
    expect(body.meta).toEqual({
      node_states_truncated: true,
      node_states_limit: 1_000,
      nodes_entered: 1_001,
    });
    expect(Object.keys(body.data.node_states).slice(0, 3)).toEqual(['extract', 'extract#2', 'extract#3']);
    expect(Object.keys(body.data.node_states)).toHaveLength(1_000);
  });

  it('fits an answer, whatever its nodes carry', async () => {
    const runId = await started();
    await api.engine.database.execute(
      `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, visit, created_at, output_data)
       select $1, gen_random_uuid(), 'extract', 'extract', 'a', 'COMPLETED', n, now() + n * interval '1 millisecond',
              to_jsonb(repeat('x', 250000))
         from generate_series(1, 100) n`,
      [runId],
    );
    const { body } = await api.as('ann')({ path: execution(runId) });
    expect(Object.keys(body.data.node_states)).toHaveLength(101);
    expect(JSON.stringify(body).length).toBeLessThan(2_500_000);
    expect(body.data.node_states.extract.output_data.result.data).toHaveLength(250_000);
    expect(body.data.node_states['extract#100']).toMatchObject({
      output_data: {},
      metadata: { data_omitted: true },
    });
  });

  it('of another producer is known by its row', async () => {
    const { id } = await api.engine.database.one<{ id: string }>(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner)
       values ('theirs', 'wf-x-1', 'x', 'PENDING', 'ann') returning id`,
    );
    const { body } = await api.as('ann')({ path: `/api/v1/workflows/executions/${id.toUpperCase()}` });
    expect(body.data).toMatchObject({ execution_id: id, workflow_id: 'wf-x-1', node_states: {} });
    const named = randomUUID();
    const { id: row } = await api.engine.database.one<{ id: string }>(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner)
       values ($1, 'wf-x-1', 'x', 'PENDING', 'ann') returning id`,
      [`run-${named}`],
    );
    expect((await api.as('ann')({ path: `/api/v1/workflows/executions/${named}` })).status).toBe(200);
    expect((await api.as('ann')({ path: `/api/v1/workflows/executions/${row}` })).status).toBe(404);
  });

  it('is 404 for others, and for what names none', async () => {
    const runId = await started();
    expect(codeOf(await api.as('bob')({ path: execution(runId) }))).toEqual([404, 'NOT_FOUND']);
    for (const id of [randomUUID(), 'x', runId]) {
      const path = `/api/v1/workflows/executions/${id}`;
      expect(codeOf(await api.as('ann')({ path }))).toEqual([404, 'NOT_FOUND']);
      expect(codeOf(await api.as('ann')({ method: 'POST', path: `${path}/cancel` }))).toEqual([
        404,
        'NOT_FOUND',
      ]);
    }
    const { body, status } = await api.as('ann')({
      path: execution(runId, '?include_logs=1&include_metrics=yes&x=1'),
    });
    expect(status).toBe(400);
    expect(body.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      'include_logs',
      'include_metrics',
      'x',
    ]);
  });
});

describe('cancelling an execution', () => {
  const cancel = (runId: string, body?: unknown) => ({
    method: 'POST',
    path: execution(runId, '/cancel'),
    body,
  });

  it.each(['pending', 'running'])('that is %s closes it, once', async (status) => {
    const runId = await started();
    if (status === 'running') await api.pickUp(runId);
    const answer = await api.as('ann')(cancel(runId));
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: true,
      message: 'Execution cancelled successfully',
      meta: {},
      data: { execution_id: idOf(runId), status: 'cancelled', cancelled_at: expect.stringMatching(/Z$/) },
    });
    const again = await api.as('ann')(cancel(runId));
    expect(codeOf(again)).toEqual([400, 'BAD_REQUEST']);
    expect(again.body.details).toEqual({ reason: 'RUN_CLOSED' });
  });

  it('is not for others', async () => {
    const runId = await started();
    expect(codeOf(await api.as('bob')(cancel(runId)))).toEqual([404, 'NOT_FOUND']);
    const grant = { user_id: 'vera', can_view: true, can_execute: false };
    await api.as('ann')({
      method: 'POST',
      path: `/api/v1/workflows/${api.workflowId}/permissions`,
      body: grant,
    });
    expect((await api.as('vera')({ path: execution(runId) })).status).toBe(200);
    expect(codeOf(await api.as('vera')(cancel(runId)))).toEqual([403, 'PERMISSION_DENIED']);
  });
});

describe('the list of a workflow’s executions', () => {
  let workflowId: string;
  const list = (query: string) => ({
    path: `/api/v1/workflows/${workflowId}/executions?community_id=7${query}`,
  });
  const runs: string[] = [];

  beforeAll(async () => {
    const body = { ...dataPipeline, name: 'listed' };
    workflowId = (await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body })).body.id;
    const start = async (community_id: number) => {
      const { body } = await api.as('ann')(api.execute({ community_id, variables }, workflowId));
      return body.run_id as string;
    };
    for (let i = 0; i < 5; i++) runs.push(await start(7));
    await start(8);
    await api.as('ann')(api.execute({}, workflowId));
    // Two stay pending; one runs, one failed, one is cancelled.
    for (const runId of runs.slice(2, 4)) await api.pickUp(runId);
    await api.settle(runs[3]!, true);
    await api.as('ann')({ method: 'POST', path: execution(runs[4]!, '/cancel') });
    await api.engine.database.execute(
      `update workflow_runs set completed_at = coalesce(started_at, created_at) + interval '5 minutes' where run_id = $1`,
      [runs[3]],
    );
  });
  const idsOf = (body: { data: { execution_id: string }[] }) =>
    body.data.map(({ execution_id }) => runs.indexOf(`run-${execution_id}`));

  it('has exact pages', async () => {
    const pages = await Promise.all(
      [1, 2, 3, 4].map((page) => api.as('ann')(list(`&per_page=2&page=${page}`))),
    );
    expect(pages.map(({ body }) => body.meta.pagination)).toEqual([
      { page: 1, per_page: 2, total: 5, total_pages: 3, has_next: true, has_prev: false },
      { page: 2, per_page: 2, total: 5, total_pages: 3, has_next: true, has_prev: true },
      { page: 3, per_page: 2, total: 5, total_pages: 3, has_next: false, has_prev: true },
      { page: 4, per_page: 2, total: 5, total_pages: 3, has_next: false, has_prev: true },
    ]);
    expect(pages.map(({ body }) => body.data.length)).toEqual([2, 2, 1, 0]);
    expect(new Set(pages.flatMap(({ body }) => idsOf(body)))).toEqual(new Set([0, 1, 2, 3, 4]));
    const { body } = await api.as('ann')(list(''));
    expect(body.meta.pagination).toEqual({
      page: 1,
      per_page: 20,
      total: 5,
      total_pages: 1,
      has_next: false,
      has_prev: false,
    });
    expect(body.data[idsOf(body).indexOf(2)]).toEqual({
      execution_id: idOf(runs[2]!),
      workflow_id: workflowId,
      status: 'running',
      start_time: expect.stringMatching(/Z$/),
      end_time: null,
      execution_time_seconds: null,
      nodes_executed: 1,
      error: null,
      success: false,
    });
    expect(body.data[idsOf(body).indexOf(3)]).toMatchObject({
      status: 'failed',
      execution_time_seconds: 300,
      error: expect.stringContaining('It broke'),
      success: false,
    });
  });

  it.each<[status: string, total: number]>([
    ['pending', 2],
    ['running', 1],
    ['failed', 1],
    ['cancelled', 1],
    ['completed', 0],
    ['paused', 0],
    ['failed,CANCELLED', 2],
    ['failed&status=pending', 3],
  ])('of those that are %s has %i', async (status, total) => {
    const { body } = await api.as('ann')(list(`&status=${status}`));
    expect([body.meta.pagination.total, body.data.length]).toEqual([total, total]);
    expect(body.meta.pagination.total_pages).toBe(Math.min(total, 1));
  });

  it('is in the order that is asked for', async () => {
    const ordered = async (query: string) =>
      (await api.as('ann')(list(query))).body.data as Record<string, never>[];
    const starts = (await ordered('&sort_order=asc')).map(({ start_time }) => start_time);
    expect(starts).toEqual([...starts].sort());
    expect((await ordered('')).map(({ start_time }) => start_time)).toEqual(starts.toReversed());
    expect((await ordered('&sort_by=status&sort_order=asc')).map(({ status }) => status)).toEqual([
      'cancelled',
      'failed',
      'pending',
      'pending',
      'running',
    ]);
    const times = (await ordered('&sort_by=execution_time&sort_order=asc')).map(
      ({ execution_time_seconds }) => execution_time_seconds,
    );
    expect(times).toEqual([expect.any(Number), 300, null, null, null]);
    expect(
      (await ordered('&sort_by=execution_time')).map(({ execution_time_seconds }) => execution_time_seconds),
    ).toEqual(times.toReversed());
  });

  it('is of a range of starts', async () => {
    const { body } = await api.as('ann')(list('&sort_order=asc'));
    const third = body.data[2].start_time as string;
    const after = await api.as('ann')(list(`&started_after=${third}&sort_order=asc`));
    const before = await api.as('ann')(list(`&started_before=${third}&sort_order=asc`));
    expect([before.body.meta.pagination.total, after.body.meta.pagination.total]).toEqual([2, 3]);
    expect([...idsOf(before.body), ...idsOf(after.body)]).toEqual(idsOf(body));
    const none = await api.as('ann')(list('&started_before=2020-01-01'));
    expect(none.body).toMatchObject({ data: [], meta: { pagination: { total: 0, total_pages: 0 } } });
  });

  it('is 400 for a bad query, naming all of it; 404 for others; for viewers too', async () => {
    const asAnn = api.as('ann');
    const bad = await asAnn({
      path: `/api/v1/workflows/${workflowId}/executions?status=done&page=0&per_page=101&sort_by=id&sort_order=up&started_after=x&x=1`,
    });
    expect(bad.status).toBe(400);
    expect(bad.body.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      'community_id',
      'page',
      'per_page',
      'sort_by',
      'sort_order',
      'started_after',
      'status',
      'x',
    ]);
    expect(codeOf(await api.as('bob')(list('')))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    const unknown = `/api/v1/workflows/${randomUUID()}/executions?community_id=7`;
    expect(codeOf(await asAnn({ path: unknown }))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    const grant = { community_id: 7, can_view: true, can_execute: false };
    await asAnn({ method: 'POST', path: `/api/v1/workflows/${workflowId}/permissions`, body: grant });
    const viewed = await api.as('vera', { communities: [7] })(list(''));
    expect(viewed.body.meta.pagination.total).toBe(5);
    expect(viewed.body.data).toHaveLength(5);
  });
});

describe('comparing two executions', () => {
  const compare = (left: string, right: string) => ({
    path: `/api/v1/workflows/executions/compare?left=${left}&right=${right}`,
  });

  it('shows what each did, node by node', async () => {
    const [left, right] = [await started(), await started()];
    for (const runId of [left, right]) await api.pickUp(runId);
    await api.settle(left);
    await api.settle(left);
    await api.settle(right, true);
    const { status, body, headers } = await api.as('ann')(compare(idOf(left), idOf(right)));
    expect(status).toBe(200);
    expect(headers).toHaveProperty('ETag');
    expect(body.data).toMatchObject({
      left: { execution_id: idOf(left), status: 'completed' },
      right: { execution_id: idOf(right), status: 'failed', error_node_id: 'extract' },
      same_workflow: true,
      same_status: false,
      same_input: true,
      same_output: false,
      path: { same: false, left: ['extract', 'transform'], right: ['extract'], differs_at: 1 },
      nodes: [
        { node_id: 'extract', same_status: false, same_input: true, same_output: false },
        { node_id: 'transform', right: null },
      ],
    });
  });

  it('names the one that the caller may not see', async () => {
    const runId = await started();
    const answer = await api.as('ann')(compare(idOf(runId), randomUUID()));
    expect([answer.status, answer.body.details]).toEqual([
      400,
      [{ path: 'right', message: 'expected an execution that you may see' }],
    ]);
    const bad = await api.as('bob')(compare(idOf(runId), 'x'));
    expect(codeOf(bad)).toEqual([400, 'BAD_REQUEST']);
  });
});
