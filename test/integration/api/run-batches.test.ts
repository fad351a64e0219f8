import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const pathsOf = (body: { details: { path: string }[] }) => body.details.map(({ path }) => path).sort();

describe('the status of many runs', () => {
  const ask = (ids: unknown) => ({ method: 'POST', path: '/api/v1/runs/batch-status', body: { ids } });

  it('is found by run_id or execution_id, each run once, in the order of the ids', async () => {
    const [first, second] = [await api.startedRun(), await api.startedRun()];
    await api.pickUp(second);
    const uuid = second.slice('run-'.length);
    const { status, body } = await api.as('ann')(
      ask([uuid.toUpperCase(), 'nothing', first, second, randomUUID()]),
    );
    expect(status).toBe(200);
    expect(body.data.map((run: Record<string, unknown>) => [run.run_id, run.status])).toEqual([
      [second, 'RUNNING'],
      [first, 'PENDING'],
    ]);
    expect(body.data[0]).toMatchObject({ execution_id: uuid, error_message: null });
    expect(body.data[0]).not.toHaveProperty('input_data');
    expect(body.meta.not_found).toEqual(['nothing', expect.any(String)]);
  });

  it('of others is not found', async () => {
    const runId = await api.startedRun();
    const { body } = await api.as('bob')(ask([runId]));
    expect(body).toMatchObject({ data: [], meta: { not_found: [runId] } });
  });

  it('takes 1,000 ids and no more', async () => {
    const ids = Array.from({ length: 1_000 }, () => `run-${randomUUID()}`);
    expect((await api.as('ann')(ask(ids))).body.meta.not_found).toHaveLength(1_000);
    for (const bad of [[], [...ids, 'x'], 'x', undefined, [5], ['']]) {
      expect(codeOf(await api.as('ann')(ask(bad)))).toEqual([400, 'BAD_REQUEST']);
    }
  });
});

describe('cancelling many runs', () => {
  const cancel = (body: unknown) => ({ method: 'POST', path: '/api/v1/runs/bulk-cancel', body });

  it('counts them first, then cancels those that are open', async () => {
    const asLea = api.as('lea');
    const workflows: string[] = [];
    for (const name of ['one', 'two']) {
      const body = { ...dataPipeline, name };
      workflows.push((await asLea({ method: 'POST', path: '/api/v1/workflows', body })).body.id);
    }
    const start = async (place: number) =>
      (await asLea(api.execute({}, workflows[place]))).body.run_id as string;
    const runs = [await start(0), await start(0), await start(0), await start(1)];
    await api.pickUp(runs[0]!);
    await asLea({ method: 'POST', path: `/api/v1/runs/${runs[1]}/cancel` });

    const filter = { workflow_id: workflows[0] };
    const dry = await asLea(cancel({ filter, dry_run: true }));
    expect(dry.body).toMatchObject({
      message: '2 runs would be cancelled',
      data: { dry_run: true, matched: 2, cancelled: 0, remaining: 2 },
    });
    const others = await api.as('bob')(cancel({ filter }));
    expect(others.body.data).toMatchObject({ matched: 0, cancelled: 0 });
    const pending = await asLea(cancel({ filter: { ...filter, status: 'PENDING' }, dry_run: true }));
    expect(pending.body.data.matched).toBe(1);

    const inAnothersName = await asLea(cancel({ filter, cancelled_by: 'ops' }));
    expect([inAnothersName.status, inAnothersName.body.error_code]).toEqual([403, 'PERMISSION_DENIED']);
    const { status, body } = await asLea(cancel({ filter, reason: 'Out of order' }));
    expect([status, body.data]).toEqual([200, { dry_run: false, matched: 2, cancelled: 2, remaining: 0 }]);
    const shown = await asLea({ path: `/api/v1/runs/${runs[0]}` });
    expect(shown.body.data).toMatchObject({
      status: 'CANCELLED',
      cancelled_by: 'lea',
      cancel_reason: 'Out of order',
    });
    expect((await asLea({ path: `/api/v1/runs/${runs[3]}` })).body.data.status).toBe('PENDING');
    expect((await asLea(cancel({ filter }))).body.data).toMatchObject({ matched: 0, cancelled: 0 });
  });

  it('is for those who may execute the workflow', async () => {
    const runId = await api.startedRun();
    const grant = { user_id: 'vera', can_view: true, can_execute: false };
    const path = `/api/v1/workflows/${api.workflowId}/permissions`;
    await api.as('ann')({ method: 'POST', path, body: grant });
    const bulk = cancel({ filter: { workflow_id: api.workflowId } });
    expect((await api.as('vera')(bulk)).body.data.matched).toBe(0);
    await api.as('ann')({ method: 'POST', path, body: { ...grant, can_execute: true } });
    expect((await api.as('vera')(bulk)).body.data.matched).toBeGreaterThan(0);
    expect((await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.data).toMatchObject({
      status: 'CANCELLED',
      cancelled_by: 'vera',
    });
  });

  it('cancels more than one batch', async () => {
    await api.engine.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, owner)
       select 'run-' || gen_random_uuid(), 'wf-many-1', 'many', 'PENDING', 'ann' from generate_series(1, 1050)`,
    );
    const bulk = cancel({ filter: { workflow_name: 'many' } });
    const { body } = await api.as('ann')(bulk);
    expect(body.data).toEqual({ dry_run: false, matched: 1_050, cancelled: 1_000, remaining: 50 });
    const again = await api.as('ann')(bulk);
    expect(again.body.data).toEqual({ dry_run: false, matched: 50, cancelled: 50, remaining: 0 });
  });

  it('refuses to have no filter, and what it does not know', async () => {
    const asAnn = api.as('ann');
    expect(pathsOf((await asAnn(cancel({}))).body)).toEqual(['filter']);
    expect(pathsOf((await asAnn(cancel({ filter: {} }))).body)).toEqual(['filter']);
    const bad = await asAnn(
      cancel({ filter: { status: 'COMPLETED', community_id: 'x', y: 1 }, dry_run: 'yes' }),
    );
    expect(pathsOf(bad.body)).toEqual(['dry_run', 'filter.community_id', 'filter.status', 'filter.y']);
  });
});
