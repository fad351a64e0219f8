import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { recordTick } from '../../../shared/persistence/timekeeper-tick.ts';
import { eventually } from '../../support/eventually.ts';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';

const servers = { databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') };
const nobody = '127.0.0.1:1';

describe('health', () => {
  let api: ApiHarness;
  beforeAll(async () => {
    api = await openApiHarness(servers);
  });
  afterAll(() => api?.close());

  it('is good on running servers', async () => {
    const { status, body } = await eventually(
      'health',
      () => api.send({ path: '/health' }),
      (answer) => answer.status === 200,
    );
    expect([status, body.data]).toEqual([200, { status: 'healthy', database: 'up', kafka: 'up' }]);
  });
});

describe('without Kafka', () => {
  let api: ApiHarness;
  beforeAll(async () => {
    api = await openApiHarness({ ...servers, kafkaBrokers: nobody });
  });
  afterAll(() => api?.close());

  it('health says so', async () => {
    const { status, body } = await api.send({ path: '/health' });
    expect([status, body.details]).toEqual([503, { database: 'up', kafka: 'down' }]);
  });

  it('deep health tells what waits in the database all the same', async () => {
    await recordTick(api.engine.database);
    await api.engine.database.execute(
      `insert into outbox (id, messages, created_at) values (gen_random_uuid(), '[]', now() - interval '2 minutes')`,
    );
    const { status, body } = await api.as('root', { roles: ['admin'] })({ path: '/health?deep=true' });
    expect([status, body.message]).toEqual([
      503,
      'Not reachable: kafka. Over the threshold: oldest_outbox_row_age_seconds',
    ]);
    expect(body.details).toMatchObject({
      database: 'up',
      kafka: 'down',
      timekeeper_tick_age_seconds: { is_over: false },
      oldest_outbox_row_age_seconds: { threshold: 60, is_over: true },
      consumer_lag_records: null,
    });
    expect(body.details.oldest_outbox_row_age_seconds.value).toBeGreaterThanOrEqual(120);
    await api.engine.database.execute('truncate outbox');
  });

  it('a run is still accepted within about a second, and says why it has not begun', async () => {
    const asAnn = api.as('ann');
    const { body: made } = await asAnn({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    const before = performance.now();
    const { status, body } = await asAnn({
      method: 'POST',
      path: `/api/v1/workflows/${made.id}/execute`,
      body: {},
    });
    expect(status).toBe(202);
    expect(performance.now() - before).toBeLessThan(10_000);
    const run = await asAnn({ path: `/api/v1/runs/${body.run_id}` });
    expect(run.body.data).toMatchObject({
      status: 'PENDING',
      error_message: expect.stringContaining('not published yet'),
    });
  });
});

describe('without the database', () => {
  let api: ApiHarness;
  beforeAll(async () => {
    api = await openApiHarness({ ...servers, unreachableDatabase: true, withTopics: true });
  });
  afterAll(() => api?.close());

  it('deep health tells what waits in Kafka all the same', async () => {
    const { status, body } = await eventually(
      'an answer of Kafka',
      () => api.as('root', { roles: ['admin'] })({ path: '/health?deep=true' }),
      (answer) => answer.body.details?.consumer_lag_records !== null,
    );
    expect([status, body.message]).toEqual([503, 'Not reachable: database']);
    expect(body.details).toMatchObject({
      database: 'down',
      kafka: 'up',
      timekeeper_tick_age_seconds: null,
      oldest_outbox_row_age_seconds: null,
    });
    expect(body.details.consumer_lag_records).toHaveLength(6);
  });

  it('every answer is 503 with Retry-After, and tells nothing of where it is', async () => {
    const requests = [
      { path: '/api/v1/runs', headers: { 'X-API-Key': `sk_${'x'.repeat(43)}` } },
      { path: '/health' },
    ];
    for (const request of requests) {
      const { status, body, headers } = await api.send(request);
      expect([status, body.error_code, headers['Retry-After']]).toEqual([503, 'SERVICE_UNAVAILABLE', '2']);
      expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|ECONN|postgres/i);
    }
    const byToken = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    expect(byToken.status).toBe(503);
    expect(api.logged.length).toBeGreaterThan(0);
  });
});
