import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  const { database } = api.engine;
  // A hundred completed runs of 1 to 100 s, and others, an hour ago; some of another version, some of two days ago.
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, version, status, owner, created_at, started_at, completed_at, paused_at)
     select 'm' || n, 'w', 'w', $1, case when n > 110 then 2 else 1 end,
            case when n <= 100 then 'COMPLETED' when n <= 110 then 'FAILED' when n <= 113 then 'CANCELLED' else 'RUNNING' end, 'ann',
            t.at, t.at, case when n <= 113 then t.at + n * interval '1 second' end, case when n = 115 then now() end
       from generate_series(1, 116) n, lateral (select now() - case when n = 110 then interval '2 days' else interval '1 hour' end) t (at)`,
    [api.workflowId],
  );
  await database.execute(
    `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, started_at, completed_at)
     select 'm' || n, 'm' || n || s, s, s, 'a', case when s = 'slow' and n % 4 = 0 then 'FAILED' else 'COMPLETED' end,
            now() - interval '1 hour', now() - interval '1 hour' + n * case s when 'slow' then interval '1 second' else interval '10 milliseconds' end
       from generate_series(1, 100) n, unnest(array['slow', 'quick']) s`,
  );
  await database.execute(
    `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, started_at)
     values ('m114', 'm114', 'slow', 'slow', 'a', 'RUNNING', now())`,
  );
});
afterAll(() => api?.close());

const path = (query = '') => `/api/v1/workflows/${api.workflowId}/metrics${query}`;
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

describe('the metrics of a workflow', () => {
  it('are those of the last 24 hours, and say so', async () => {
    const before = Date.now();
    const { status, body } = await api.as('ann')({ path: path() });
    expect(status).toBe(200);
    expect(Date.parse(body.data.started_before)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(body.data.started_before) - Date.parse(body.data.started_after)).toBe(86_400_000);
    expect(body.meta).toEqual({
      range: 'by default the 24 hours before now',
      max_range_days: 31,
      runs_limit: 100_000,
      is_limited: false,
      steps_of_runs_limit: 1_000,
      attempts_limit: 50_000,
    });
    expect(body.data).toMatchObject({
      workflow_id: api.workflowId,
      version: null,
      total: 115,
      by_status: { pending: 0, running: 2, paused: 1, completed: 100, failed: 9, cancelled: 3 },
      success_rate: 100 / 109,
      duration_seconds: { average: 50.5, p50: 50.5, p95: expect.closeTo(95.05), p99: expect.closeTo(99.01) },
    });
    expect(body.data.slowest_steps).toEqual([
      {
        step_id: 'slow',
        attempts: 100,
        failure_rate: 0.25,
        duration_seconds: {
          average: 50.5,
          p50: 50.5,
          p95: expect.closeTo(95.05),
          p99: expect.closeTo(99.01),
        },
      },
      {
        step_id: 'quick',
        attempts: 100,
        failure_rate: 0,
        duration_seconds: {
          average: expect.closeTo(0.505),
          p50: expect.closeTo(0.505),
          p95: expect.closeTo(0.9505),
          p99: expect.closeTo(0.9901),
        },
      },
    ]);
  });

  it('are those of a range and of a version', async () => {
    const ranged = await api.as('ann')({ path: path(`?started_after=${daysAgo(3)}`) });
    expect(ranged.body.data.by_status.failed).toBe(10);
    expect(ranged.body.meta.range).toBe('as asked for');
    const early = await api.as('ann')({
      path: path(`?started_after=${daysAgo(3)}&started_before=${daysAgo(1)}`),
    });
    expect(early.body.data).toMatchObject({
      total: 1,
      success_rate: 0,
      duration_seconds: { average: null, p50: null, p95: null, p99: null },
      slowest_steps: [],
    });
    const second = await api.as('ann')({ path: path('?version=2') });
    expect(second.body.data).toMatchObject({ version: 2, total: 6, success_rate: null });
    expect(second.body.data.by_status).toMatchObject({ completed: 0, cancelled: 3, running: 2, paused: 1 });
  });

  it('by default end where the range ends', async () => {
    const end = daysAgo(1.5);
    const { body } = await api.as('ann')({ path: path(`?started_before=${end}`) });
    expect(body.data).toMatchObject({
      started_after: new Date(Date.parse(end) - 86_400_000).toISOString(),
      total: 1,
    });
    expect(body.meta.range).toBe('by default the 24 hours before started_before');
  });

  it.each([
    ['more than 31 days', () => `?started_after=${daysAgo(32)}`, 'started_after', /at most 31 days/],
    [
      'nothing',
      // One moment: two readings of the clock may be a millisecond apart, which is a range.
      (at = daysAgo(1)) => `?started_after=${at}&started_before=${at}`,
      'started_after',
      /before started_before/,
    ],
    ['what is to come', () => `?started_after=${daysAgo(-1)}`, 'started_after', /before now/],
    ['a version that is none', () => '?version=x', 'version', /whole number/],
    ['a moment that is none', () => '?started_after=yesterday', 'started_after', /expected a date/],
  ])('of %s are a 400', async (_what, query, field, message) => {
    const answer = await api.as('ann')({ path: path(query()) });
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    expect(answer.body.details).toEqual([{ path: field, message: expect.stringMatching(message) }]);
  });

  it('are for whoever may see the workflow, and another producer’s runs of it are the admin’s', async () => {
    await api.engine.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, created_at)
       values ('theirs', 'w', 'w', $1, 'PENDING', now() - interval '1 minute')`,
      [api.workflowId],
    );
    expect(codeOf(await api.as('sam')({ path: path() }))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    await api.as('ann')({
      method: 'PUT',
      path: `/api/v1/workflows/${api.workflowId}/permissions`,
      body: { user_id: 'val' },
    });
    const asVal = await api.as('val')({ path: path() });
    expect(asVal.body.data.total).toBe(115);
    const asRoot = await api.as('root', { roles: ['admin'] })({ path: path() });
    expect(asRoot.body.data.total).toBe(116);
  });
});
