import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ApiResponse } from '../../support/api-event.ts';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const input = { source_url: 's3://bucket/data.csv' };

describe('runs of another producer', () => {
  it('whose times no calendar of ours has keep no page of the list from being read', async () => {
    await api.engine.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at, updated_at)
       select 'far-' || n, 'wf-far-1', 'far', 'RUNNING', to_timestamp(1796064412334 + n), '290000-01-01' from generate_series(1, 3) n`,
    );
    const root = api.as('root', { roles: ['admin'] });
    const found: string[] = [];
    let query = 'workflow_name=far&limit=1';
    for (let page = 0; page < 5 && query !== ''; page++) {
      const { status, body } = await root({ path: `/api/v1/runs?${query}` });
      expect(status).toBe(200);
      for (const { run_id, updated_at } of body.data) {
        expect(updated_at).toBeNull();
        found.push(run_id);
      }
      const { next_cursor } = body.meta;
      query = next_cursor ? `workflow_name=far&limit=1&cursor=${next_cursor}` : '';
    }
    expect(found).toEqual(['far-3', 'far-2', 'far-1']);
    await api.engine.database.execute(`delete from workflow_runs where workflow_name = 'far'`);
  });
});

describe('reading a run', () => {
  it('has the columns of the shared table and ours', async () => {
    const runId = await api.startedRun();
    const { status, body } = await api.as('ann')({ path: `/api/v1/runs/${runId}` });
    expect(status).toBe(200);
    const created = body.data.created_at;
    expect(body).toEqual({
      success: true,
      message: 'Run retrieved',
      meta: {},
      run_id: runId,
      status: 'PENDING',
      data: {
        run_id: runId,
        execution_id: runId.slice('run-'.length),
        workflow_id: 'wf-data-pipeline-1',
        workflow_name: 'data-pipeline',
        workflow_definition_id: api.workflowId,
        version: 1,
        status: 'PENDING',
        input_data: input,
        output_data: null,
        variables: null,
        metadata: null,
        error_message: null,
        error_code: null,
        error_step_id: null,
        error_attempt: null,
        triggered_by: 'ann',
        community_id: null,
        parent_run_id: null,
        sequence: 0,
        created_at: created,
        started_at: created,
        paused_at: null,
        held_by: null,
        updated_at: expect.any(String),
        completed_at: null,
        cancelled_at: null,
        cancelled_by: null,
        cancel_reason: null,
      },
    });
  });

  it('follows it to its end, with its steps oldest first', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    const running = await api.as('ann')({ path: `/api/v1/runs/${runId}` });
    expect(running.body.status).toBe('RUNNING');
    await api.settle(runId);
    await api.settle(runId, true);
    const { body } = await api.as('ann')({ path: `/api/v1/runs/${runId}` });
    expect(body.data).toMatchObject({
      status: 'FAILED',
      error_code: 'BROKEN',
      error_step_id: 'transform',
      error_attempt: 1,
    });
    const steps = await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` });
    expect(steps.status).toBe(200);
    expect(steps.body.meta).toEqual({ limit: 1_000, next_cursor: null });
    expect(steps.body.data).toMatchObject([
      {
        run_id: runId,
        step_id: 'extract',
        agent_name: 'data-extractor',
        status: 'COMPLETED',
        attempt: 1,
        input_data: { source: input.source_url },
        output_data: { rows: 3 },
        logs: ['one line'],
        duration_ms: expect.any(Number),
      },
      {
        step_id: 'transform',
        status: 'FAILED',
        error_code: 'BROKEN',
        error_message: 'It broke',
        output_data: null,
      },
    ]);
  });

  it('reads another producer’s row', async () => {
    await api.engine.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status) values ('their run/1 ä', 'wf-x-1', 'x', 'PENDING')`,
    );
    const path = `/api/v1/runs/${encodeURIComponent('their run/1 ä')}`;
    const asAdmin = api.as('root', { roles: ['admin'] });
    const { status, body } = await asAdmin({ path });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      run_id: 'their run/1 ä',
      execution_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect((await asAdmin({ path: `${path}/steps` })).body.data).toEqual([]);
    expect((await api.as('ann')({ path })).status).toBe(404);
  });

  it.each(['null', "'infinity'", "'-infinity'"])(
    'reads another producer’s row whose times are %s',
    async (time) => {
      const runId = `their-${time.replaceAll("'", '')}`;
      const [{ id }] = (await api.engine.database.many<{ id: string }>(
        `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at, updated_at, cancelled_at)
       values ($1, 'wf-x-1', 'x', 'CANCELLED', ${Array(3).fill(time).join(', ')}) returning id`,
        [runId],
      )) as [{ id: string }];
      const asAdmin = api.as('root', { roles: ['admin'] });
      const answers = [
        await asAdmin({ path: `/api/v1/runs/${runId}` }),
        await asAdmin({ path: `/api/v1/workflows/executions/${id}?include_metrics=true` }),
        await asAdmin({ path: `/api/v1/workflows/executions/compare?left=${id}&right=${id}` }),
        await asAdmin({ method: 'POST', path: '/api/v1/runs/batch-status', body: { ids: [runId] } }),
        await asAdmin({ path: '/api/v1/runs?limit=1000' }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      expect(answers[0]?.body.data).toMatchObject({
        created_at: null,
        completed_at: null,
        cancelled_at: null,
      });
      expect(answers[3]?.body.data).toMatchObject([{ run_id: runId, created_at: null }]);
    },
  );

  it.each(['run-unknown', 'run-0193', '%00', 'x'.repeat(256), '%ff', '%'])(
    '404 for what names no run: %s',
    async (id) => {
      for (const [method, rest] of [
        ['GET', ''],
        ['GET', '/steps'],
        ['POST', '/cancel'],
        ['POST', '/retry'],
      ] as const) {
        expect(codeOf(await api.as('ann')({ method, path: `/api/v1/runs/${id}${rest}` }))).toEqual([
          404,
          'NOT_FOUND',
        ]);
      }
    },
  );

  it('hides another tenant’s run', async () => {
    const runId = await api.startedRun();
    for (const [method, rest] of [
      ['GET', ''],
      ['GET', '/steps'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const answer = await api.as('joe')({
        method,
        path: `/api/v1/runs/${runId}${rest}`,
        body: method === 'POST' ? '{' : undefined,
      });
      expect(codeOf(answer)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.data.status).toBe('PENDING');
  });
});

describe('listing runs', () => {
  const runIdsOf = ({ body }: ApiResponse): string[] =>
    body.data.map((run: { run_id: string }) => run.run_id);

  it('filters and pages', async () => {
    const asMia = api.as('mia', { communities: [0, 1, 2, 3, 4] });
    const { body: made } = await asMia({
      method: 'POST',
      path: '/api/v1/workflows',
      body: { ...dataPipeline, name: 'mias' },
    });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++)
      ids.push((await asMia(api.execute({ community_id: i, variables: {} }, made.id))).body.run_id);
    await asMia({ method: 'POST', path: `/api/v1/runs/${ids[0]}/cancel` });
    const [r0, r1, r2, r3, r4] = ids as [string, string, string, string, string];
    const list = async (query: string) => runIdsOf(await asMia({ path: `/api/v1/runs?${query}` }));

    expect(await list('')).toEqual([r4, r3, r2, r1, r0]);
    expect(await list('status=CANCELLED')).toEqual([r0]);
    expect(await list('status=CANCELLED,PENDING')).toEqual([r4, r3, r2, r1, r0]);
    expect(await list('status=CANCELLED&status=FAILED')).toEqual([r0]);
    expect(await list(`workflow_id=${made.id}&limit=1`)).toEqual([r4]);
    expect(await list('workflow_id=wf-mias-1')).toHaveLength(5);
    expect(await list('workflow_id=wf-mias-2')).toEqual([]);
    expect(await list('workflow_name=mias')).toHaveLength(5);
    expect(await list('triggered_by=mia')).toHaveLength(5);
    expect(await list('triggered_by=ann')).toEqual([]);
    expect(await list('community_id=3')).toEqual([r3]);
    const all = await asMia({ path: '/api/v1/runs' });
    const third = all.body.data[2].created_at;
    expect(await list(`created_after=${third}`)).toEqual([r4, r3, r2]);
    expect(await list(`created_before=${third}`)).toEqual([r1, r0]);
    expect(await list('created_before=2000-01-01')).toEqual([]);
    expect(all.body.data[0]).not.toHaveProperty('input_data');

    const seen: string[] = [];
    for (let query = 'limit=2'; query; ) {
      const page = await asMia({ path: `/api/v1/runs?${query}` });
      seen.push(...runIdsOf(page));
      query = page.body.meta.next_cursor ? `limit=2&cursor=${page.body.meta.next_cursor}` : '';
    }
    expect(seen).toEqual([r4, r3, r2, r1, r0]);
  });

  it('shows a tenant its own only, an admin all', async () => {
    await api.startedRun();
    expect(runIdsOf(await api.as('joe')({ path: '/api/v1/runs' }))).toEqual([]);
    expect(runIdsOf(await api.as('joe')({ path: `/api/v1/runs?workflow_id=${api.workflowId}` }))).toEqual([]);
    const all = await api.as('root', { roles: ['admin'] })({ path: '/api/v1/runs?limit=1000' });
    expect(
      new Set(all.body.data.map((run: { triggered_by: string }) => run.triggered_by)).size,
    ).toBeGreaterThan(1);
  });

  it('names every bad parameter', async () => {
    const query =
      'status=DONE&limit=0&cursor=x&created_after=yesterday&created_before=2024-13-01&community_id=x&foo=1';
    const { status, body } = await api.as('ann')({ path: `/api/v1/runs?${query}` });
    expect(status).toBe(400);
    expect(body.details.map(({ path }: { path: string }) => path).sort()).toEqual(
      ['status', 'limit', 'cursor', 'created_after', 'created_before', 'community_id', 'foo'].sort(),
    );
  });
});
