import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { readRunDurations } from '../../../shared/persistence/closed-run-counts.ts';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import { removeIdleLabels } from '../../../shared/persistence/purge.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

/* What monitoring is told of the runs that ended: each end once, under one label, in one bucket, whoever writes it. */

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url, maxConnections: 10 });
});
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});
beforeEach(async () => {
  await database.execute('truncate closed_run_counts, labelled_workflows, workflow_runs');
});

async function openRuns(count: number, workflow: string | null = randomUUID()): Promise<string[]> {
  const rows = await database.many<{ run_id: string }>(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, started_at)
     select gen_random_uuid(), 'wf', 'name of ' || coalesce($2, 'none'), $2, 'RUNNING', '2026-01-01T00:00:00Z' from generate_series(1, $1) returning run_id`,
    [count, workflow],
  );
  return rows.map(({ run_id }) => run_id);
}

function close(runIds: readonly string[], status = 'COMPLETED', took = '1 second'): Promise<number> {
  return database.execute(
    `update workflow_runs set status = $2, completed_at = coalesce(retried_at, started_at) + $3::interval where run_id = any($1)`,
    [runIds, status, took],
  );
}

const counts = async () => (await readRunDurations(database)).counts;

describe('counts of closed runs', () => {
  it('are by workflow, end and duration; a bound is of the bucket below it', async () => {
    const workflow = randomUUID();
    const times = ['0', '50 milliseconds', '50001 microseconds', '1 second', '1 day', '25 hours', '-1 hour'];
    for (const took of times) await close(await openRuns(1, workflow), 'COMPLETED', took);
    await close(await openRuns(2, workflow), 'FAILED', '1.5 seconds');
    await close(await openRuns(1, workflow), 'CANCELLED', '59 minutes');
    const { boundsSeconds } = await readRunDurations(database);
    expect(boundsSeconds).toEqual([
      0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400,
    ]);
    const of = { workflow: { id: workflow, name: `name of ${workflow}` } };
    expect(await counts()).toEqual([
      {
        ...of,
        status: 'CANCELLED',
        runs: 1,
        seconds: 3540,
        buckets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
      },
      {
        ...of,
        status: 'COMPLETED',
        runs: 7,
        seconds: expect.closeTo(176401.100001, 6),
        buckets: [3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
      },
      {
        ...of,
        status: 'FAILED',
        runs: 2,
        seconds: 3,
        buckets: [0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      },
    ]);
  });

  it('count ends only, and those of a retried run from the retry on', async () => {
    const runIds = await openRuns(1);
    await close(runIds, 'FAILED');
    await database.execute(`update workflow_runs set error_message = 'x', sequence = 9, status = status`);
    await database.execute(
      `update workflow_runs set status = 'RUNNING', completed_at = null, retried_at = '2026-01-02T00:00:00Z'`,
    );
    expect((await counts()).map(({ status, runs }) => [status, runs])).toEqual([['FAILED', 1]]);
    await close(runIds, 'COMPLETED', '2 seconds');
    expect((await counts()).map(({ status, runs, seconds }) => [status, runs, seconds])).toEqual([
      ['COMPLETED', 1, 2],
      ['FAILED', 1, 1],
    ]);
    await database.execute('delete from workflow_runs');
    expect((await counts()).map(({ runs }) => runs)).toEqual([1, 1]);
  });

  it('take any times of another producer', async () => {
    const runIds = await openRuns(2);
    await database.execute(`update workflow_runs set started_at = '-infinity' where run_id = $1`, [
      runIds[0],
    ]);
    await database.execute(
      `update workflow_runs set started_at = null, created_at = null where run_id = $1`,
      [runIds[1]],
    );
    await database.execute(`update workflow_runs set status = 'COMPLETED', completed_at = now()`);
    expect((await counts()).map(({ runs, buckets }) => [runs, buckets.at(-1)])).toEqual([[2, 1]]);
  });

  it('go with their transaction', async () => {
    const runIds = await openRuns(1);
    const rolledBack = database.transaction(async (statements) => {
      await statements.execute(
        `update workflow_runs set status = 'FAILED', completed_at = now() where run_id = any($1)`,
        [runIds],
      );
      throw new Error('never mind');
    });
    await expect(rolledBack).rejects.toThrow('never mind');
    expect(await counts()).toEqual([]);
  });

  it('tell a hundred workflows apart and no more; no counter goes down when one gets a place', async () => {
    const workflows = Array.from({ length: 110 }, () => randomUUID());
    for (const workflow of workflows) await close(await openRuns(2, workflow));
    await close(await openRuns(3, null), 'FAILED');
    const before = await counts();
    expect(before.filter(({ workflow }) => workflow !== null)).toHaveLength(100);
    const other = (all: typeof before) =>
      all.filter(({ workflow }) => workflow === null).map(({ status, runs }) => [status, runs]);
    expect(other(before)).toEqual([
      ['COMPLETED', 20],
      ['FAILED', 3],
    ]);

    await removeIdleLabels(database);
    expect(await counts()).toEqual(before);
    await database.execute(
      `update closed_run_counts set counted_at = now() - interval '8 days' where workflow_definition_id = $1`,
      [workflows[0]],
    );
    await removeIdleLabels(database);
    const late = workflows[105]!;
    await close(await openRuns(1, late));
    const after = await counts();
    expect(after.some(({ workflow }) => workflow?.id === workflows[0])).toBe(false);
    expect(after.find(({ workflow }) => workflow?.id === late)?.runs).toBe(1);
    expect(other(after)).toEqual(other(before));
  });

  it('are exact, and nobody waits for a neighbour for ever, when many batches close runs at once', async () => {
    const workflows = Array.from({ length: 20 }, () => randomUUID());
    const runIds = (await Promise.all(workflows.map((workflow) => openRuns(20, workflow)))).flat();
    const shuffled = runIds.map((id, i) => [(i * 7) % 399, id] as const).sort(([a], [b]) => a - b);
    const batches = Array.from({ length: 20 }, (_, i) => shuffled.slice(i * 20, i * 20 + 20));
    await Promise.all(batches.map((batch) => close(batch.map(([, id]) => id))));
    const all = await counts();
    expect(all.reduce((sum, { runs }) => sum + runs, 0)).toBe(400);
    await Promise.all(workflows.map(async (workflow) => close(await openRuns(1, workflow))));
    expect((await counts()).reduce((sum, { runs }) => sum + runs, 0)).toBe(420);
  });
});
