import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ApiResponse } from '../../support/api-event.ts';
import { openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

describe('pages of steps', () => {
  const insertSteps = (runId: string, count: number, output: string) =>
    api.engine.database.execute(
      `insert into step_executions (run_id, step_execution_id, step_id, step_name, agent_name, status, output_data, created_at, visit)
       select $1::text, $1::text || n, 's', 's', 'a', 'COMPLETED', to_jsonb($3::text), now() + (n / 3) * interval '1 microsecond', n
       from generate_series(1, $2) n`,
      [runId, count, output],
    );
  const visitsOf = ({ body }: ApiResponse): number[] =>
    body.data.map(({ visit }: { visit: number }) => visit);

  it('are complete and in order, though many steps share a moment', async () => {
    const runId = await api.startedRun();
    await insertSteps(runId, 100, 'small');
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page: ApiResponse = await api.as('ann')({
        path: `/api/v1/runs/${runId}/steps?limit=7${cursor ? `&cursor=${cursor}` : ''}`,
      });
      seen.push(...visitsOf(page));
      cursor = page.body.meta.next_cursor;
    } while (cursor);
    expect(seen).toHaveLength(100);
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(seen.map((n) => Math.floor(n / 3))).toEqual(
      [...seen].map((n) => Math.floor(n / 3)).sort((a, b) => a - b),
    );
  });

  it('hold a thousand steps by default', async () => {
    const runId = await api.startedRun();
    await insertSteps(runId, 1_001, 'y'.repeat(1_000));
    const first = await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` });
    expect(first.body.data).toHaveLength(1_000);
    const rest = await api.as('ann')({
      path: `/api/v1/runs/${runId}/steps?cursor=${first.body.meta.next_cursor}`,
    });
    expect(rest.body.data).toHaveLength(1);
    expect(rest.body.meta.next_cursor).toBeNull();
  });

  it('end early where an answer could not carry more', async () => {
    const runId = await api.startedRun();
    // Compresses a hundredfold: stored it is small.
    await insertSteps(runId, 60, '"'.repeat(100_000));
    const seen: number[] = [];
    let cursor: string | null = null;
    do {
      const page: ApiResponse = await api.as('ann')({
        path: `/api/v1/runs/${runId}/steps${cursor ? `?cursor=${cursor}` : ''}`,
      });
      expect(JSON.stringify(JSON.stringify(page.body)).length).toBeLessThan(6_000_000);
      expect(page.body.data.length).toBeGreaterThan(1);
      seen.push(...visitsOf(page));
      cursor = page.body.meta.next_cursor;
    } while (cursor);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  });
});
