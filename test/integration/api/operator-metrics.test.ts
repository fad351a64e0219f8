import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { recordTick } from '../../../shared/persistence/timekeeper-tick.ts';
import { type ParsedFamily, parseExposition } from '../../support/exposition.ts';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const scrape = () => api.as('root', { roles: ['admin'] })({ path: '/metrics' });
async function families(): Promise<Map<string, ParsedFamily>> {
  return parseExposition((await scrape()).body);
}
const sampleOf = (all: Map<string, ParsedFamily>, name: string, labels: Record<string, string> = {}) => {
  const found = all
    .get(name)
    ?.samples.filter((sample) =>
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
  expect(found, name).toHaveLength(1);
  return found?.[0]?.value;
};

describe('GET /metrics', () => {
  it('is text in the format that Prometheus reads, for admins, by key as by token', async () => {
    const { status, headers, body } = await scrape();
    expect(status).toBe(200);
    expect(headers['Content-Type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    parseExposition(body);
    const { key } = await api.makeApiKey('root', ['admin']);
    const byKey = await api.send({ path: '/metrics', headers: { 'X-API-Key': key } });
    expect(byKey.status).toBe(200);
    expect(codeOf(await api.as('ann')({ path: '/metrics' }))).toEqual([403, 'PERMISSION_DENIED']);
    expect(codeOf(await api.send({ path: '/metrics' }))).toEqual([401, 'UNAUTHORIZED']);
  });

  it('counts runs by workflow and end, and their durations', async () => {
    for (const failed of [false, false, true]) {
      const runId = await api.startedRun();
      await api.pickUp(runId);
      await api.settle(runId, failed);
      if (!failed) await api.settle(runId);
    }
    const cancelled = await api.startedRun();
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${cancelled}/cancel` });
    const open = await api.startedRun();
    const picked = await api.startedRun();
    await api.pickUp(picked);
    const all = await families();
    const of = { workflow_id: api.workflowId, workflow: 'data-pipeline' };
    const closed = (status: string) => sampleOf(all, 'stepline_executions_closed_total', { ...of, status });
    expect([closed('completed'), closed('failed'), closed('cancelled')]).toEqual([2, 1, 1]);
    const durations = all.get('stepline_execution_duration_seconds')?.samples ?? [];
    const completed = durations.filter(({ labels }) => labels.status === 'completed');
    expect(completed.at(-1)).toMatchObject({ name: 'stepline_execution_duration_seconds_count', value: 2 });
    expect(completed.find(({ labels }) => labels.le === '10')?.value).toBe(2);
    expect(sampleOf(all, 'stepline_executions_open', { status: 'pending' })).toBe(1);
    expect(sampleOf(all, 'stepline_executions_open', { status: 'running' })).toBe(1);
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${open}/cancel` });
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${picked}/cancel` });
  });

  it('tells how old is what waits', async () => {
    const { database } = api.engine;
    // What is published goes a little later.
    const outboxRows = async () => sampleOf(await families(), 'stepline_outbox_rows');
    await expect.poll(outboxRows, { timeout: 15_000 }).toBe(0);
    const before = await families();
    for (const name of [
      'stepline_oldest_pending_execution_age_seconds',
      'stepline_outbox_rows',
      'stepline_outbox_oldest_age_seconds',
    ]) {
      expect([name, sampleOf(before, name)]).toEqual([name, 0]);
    }
    expect(sampleOf(before, 'stepline_due_lag_seconds', { of: 'step' })).toBe(0);
    await database.execute(
      `insert into outbox (id, messages, created_at) select gen_random_uuid(), '[]', now() - interval '90 seconds' from generate_series(1, 3)`,
    );
    await database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at, wake_at)
       values ('late', 'w', 'w', 'PENDING', now() - interval '10 minutes', now() - interval '40 seconds')`,
    );
    await database.execute(
      `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, wake_at)
       values ('late', 'late', 's', 's', 'a', 'RUNNING', now() - interval '20 seconds')`,
    );
    await recordTick(database);
    const after = await families();
    const waits = (seconds: number, name: string, labels?: Record<string, string>) => {
      const age = sampleOf(after, name, labels)!;
      expect([name, age >= seconds && age < seconds + 20]).toEqual([name, true]);
    };
    expect(sampleOf(after, 'stepline_outbox_rows')).toBe(3);
    waits(90, 'stepline_outbox_oldest_age_seconds');
    waits(600, 'stepline_oldest_pending_execution_age_seconds');
    waits(40, 'stepline_due_lag_seconds', { of: 'execution' });
    waits(20, 'stepline_due_lag_seconds', { of: 'step' });
    const tick = sampleOf(after, 'stepline_timekeeper_last_tick_timestamp_seconds')!;
    expect(Math.abs(tick - Date.now() / 1_000)).toBeLessThan(60);
    await database.execute(`delete from workflow_runs where run_id = 'late'`);
    await database.execute(`delete from step_executions where run_id = 'late'`);
    await database.execute('delete from outbox');
  });

  it('keeps a workflow of a hostile name in its label', async () => {
    const name = 'x"} 1 \\ # TYPE y counter';
    const { body: workflow } = await api.as('ann')({
      method: 'POST',
      path: '/api/v1/workflows',
      body: { ...dataPipeline, name },
    });
    const { body: run } = await api.as('ann')(api.execute({}, workflow.id));
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${run.run_id}/cancel` });
    const all = await families();
    expect(
      sampleOf(all, 'stepline_executions_closed_total', { workflow_id: workflow.id, workflow: name }),
    ).toBe(1);
  });

  it('counts dead letters by the topic that they came from', async () => {
    await api.engine.countDeadLetters([{ topic: 'results.topic', partition: 2, offset: 7 }]);
    await api.engine.countDeadLetters([{ topic: 'results.topic', partition: 2, offset: 7 }]);
    expect(sampleOf(await families(), 'stepline_dead_letters_total', { topic: 'results.topic' })).toBe(1);
  });
});
