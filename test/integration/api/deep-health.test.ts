import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { readConsumerLag } from '../../../shared/kafka/consumer-lag.ts';
import { recordTick } from '../../../shared/persistence/timekeeper-tick.ts';
import { eventually } from '../../support/eventually.ts';
import { type ApiHarness, openApiHarness } from './api-harness.ts';
import { codeOf } from './run-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    withTopics: true,
  });
});
afterAll(() => api?.close());

/** Once Kafka has told in time, which it may not on a busy machine. */
const deep = () =>
  eventually(
    'an answer of Kafka',
    () => api.as('root', { roles: ['admin'] })({ path: '/health?deep=true' }),
    ({ body }) => body.details?.kafka !== 'down' && !/\(unknown\)/.test(body.message),
  );
const run = (sql: string) => api.engine.database.execute(sql);

describe('GET /health', () => {
  it('is open to everyone, whatever they send', async () => {
    await deep();
    for (const path of ['/health', '/health?deep=false', '/health?probe=1']) {
      const { status, body } = await api.send({ path, headers: { 'X-API-Key': 'no key' } });
      expect([path, status, Object.keys(body.data)]).toEqual([path, 200, ['status', 'database', 'kafka']]);
    }
    expect(codeOf(await api.send({ path: '/health?deep=maybe' }))).toEqual([400, 'BAD_REQUEST']);
  });

  it('is an admin’s when it is deep', async () => {
    expect(codeOf(await api.send({ path: '/health?deep=true' }))).toEqual([401, 'UNAUTHORIZED']);
    expect(codeOf(await api.as('ann')({ path: '/health?deep=true' }))).toEqual([403, 'PERMISSION_DENIED']);
    const wrong = await api.send({ path: '/health?deep=true', headers: { 'X-API-Key': 'no key' } });
    expect(codeOf(wrong)).toEqual([401, 'UNAUTHORIZED']);
  });
});

describe('deep health', () => {
  it('is 503 as long as no timekeeper has looked', async () => {
    const { status, body, headers } = await deep();
    expect([status, body.error_code, headers['Retry-After']]).toEqual([503, 'SERVICE_UNAVAILABLE', '2']);
    expect(body.message).toBe('Over the threshold: timekeeper_tick_age_seconds');
    expect(body.details.timekeeper_tick_age_seconds).toEqual({
      value: null,
      threshold: 120,
      is_over: true,
      last_tick_at: null,
    });
  });

  it('tells what waits, and how far behind each consumer group is', async () => {
    await recordTick(api.engine.database);
    const { status, body } = await deep();
    expect(status).toBe(200);
    const { consumer_lag_records: groups, ...rest } = body.data;
    expect(rest).toMatchObject({
      status: 'healthy',
      database: 'up',
      kafka: 'up',
      timekeeper_tick_age_seconds: { threshold: 120, is_over: false },
      oldest_outbox_row_age_seconds: { value: null, threshold: 60, is_over: false },
      due_lag_seconds: { value: null, threshold: 30, is_over: false },
      oldest_pending_run_age_seconds: { value: null, threshold: 300, is_over: false },
    });
    expect(groups).toHaveLength(6);
    for (const { group_id, topic, ...lag } of groups) {
      expect(group_id).toBe(`execution-consumer-group.${topic}`);
      expect(lag).toEqual({ value: 0, threshold: 10_000, is_over: false, members: 0 });
    }
  });

  it.each([
    ['timekeeper_tick_age_seconds', `update timekeeper_tick set ticked_at = now() - interval '3 minutes'`],
    [
      'oldest_outbox_row_age_seconds',
      `insert into outbox (id, messages, created_at) values (gen_random_uuid(), '[]', now() - interval '2 minutes')`,
    ],
    [
      'due_lag_seconds',
      `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, wake_at)
       values ('late', 'late', 's', 's', 'a', 'RUNNING', now() - interval '1 minute')`,
    ],
    [
      'oldest_pending_run_age_seconds',
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at)
       values ('late', 'w', 'w', 'PENDING', now() - interval '6 minutes')`,
    ],
  ])('names %s when it is over its threshold', async (name, sql) => {
    await recordTick(api.engine.database);
    await run(sql);
    const { status, body } = await deep();
    expect([status, body.message]).toEqual([503, `Over the threshold: ${name}`]);
    expect(body.details[name].value).toBeGreaterThan(body.details[name].threshold);
    await run('truncate outbox, step_executions, workflow_runs');
  });
});

describe('the lag of a consumer group', () => {
  const kafka = { brokers: [inject('kafkaBrokers')], clientId: 'test' };

  it('is what is beyond its committed offsets, from the beginning where it has none', async () => {
    const topic = 'lag-of-a-group';
    const groupId = `group-of.${topic}`;
    const client = createKafka(kafka);
    const admin = client.admin();
    const producer = client.producer();
    await Promise.all([admin.connect(), producer.connect()]);
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
    const messages = [0, 0, 0, 1, 1].map((partition) => ({ partition, value: 'x' }));
    await producer.send({ topic, messages });
    const lag = async () => (await readConsumerLag(kafka, [{ groupId, topic }], 60_000))[0]?.lag;
    expect(await lag()).toBe(5);
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '2' }] });
    expect(await lag()).toBe(3);
    const members = async () => (await readConsumerLag(kafka, [{ groupId, topic }], 60_000))[0]?.members;
    expect(await members()).toBe(0);
    const consumer = client.consumer({ groupId, maxWaitTimeInMs: 200 });
    await consumer.connect();
    await consumer.subscribe({ topic });
    await consumer.run({ eachMessage: async () => {} });
    await eventually('a member', members, (found) => found === 1);
    await consumer.disconnect();
    expect(await members()).toBe(0);
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  });

  it('is not waited for beyond the time', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const away = { ...kafka, brokers: [`127.0.0.1:${(silent.address() as AddressInfo).port}`] };
    const begun = performance.now();
    await expect(readConsumerLag(away, [{ groupId: 'g', topic: 't' }], 300)).rejects.toThrow(
      'Kafka did not tell its offsets within 300 ms',
    );
    // kafkajs itself waits ten seconds for an answer.
    expect(performance.now() - begun).toBeLessThan(8_000);
    silent.close();
  });
});
