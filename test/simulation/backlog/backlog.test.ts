import { expect, it } from 'vitest';
import { type Backlog, drain } from './backlog-model.ts';

const backlog: Backlog = { runs: 50_000, stoppedMs: 600_000, recordsPerSecond: 200 };
/** Two records for each run. */
const ideal = { records: 100_000, drainedMs: 500_000 };

it('50,000 queued runs, with the executor stopped for ten minutes, drain in the time that they need', async () => {
  const { drainedMs, records, wakes } = await drain(backlog);
  expect(records).toBe(ideal.records + wakes);
  expect(records).toBeLessThanOrEqual(1.2 * ideal.records);
  expect(drainedMs).toBeLessThanOrEqual(1.2 * ideal.drainedMs);
});

it('so they do at a tenth of the speed, with the backlog older than any lease', async () => {
  const { drainedMs, records } = await drain({ ...backlog, recordsPerSecond: 20 });
  expect(records).toBeLessThanOrEqual(1.2 * ideal.records);
  expect(drainedMs).toBeLessThanOrEqual(1.2 * 10 * ideal.drainedMs);
});

it('a lag that cannot be read costs a few wakes for each run, by the leases that grow, and no storm', async () => {
  const { records, drainedMs } = await drain({ ...backlog, without: { progress: true } });
  expect(records).toBeGreaterThan(1.2 * ideal.records);
  expect(records).toBeLessThanOrEqual(6 * ideal.records);
  expect(drainedMs).toBeLessThanOrEqual(6 * ideal.drainedMs);
});

it('each guard is needed: with neither, what is asked for again outruns the executor for hours', async () => {
  const small: Backlog = { ...backlog, runs: 5_000, recordsPerSecond: 20 };
  const without = { progress: true, growth: true } as const;
  const { records } = await drain({ ...small, without });
  expect(records).toBeGreaterThan(6 * 2 * small.runs);
});
