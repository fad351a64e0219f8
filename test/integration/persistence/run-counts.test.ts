import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import { run } from '../../support/engine-states.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

/* The counts that lists give their totals from are those of the rows, whoever writes them and however many at once. */

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

const GROUP = 'workflow_definition_id, community_id, owner, execution_status';
async function expectExactCounts(): Promise<void> {
  const counted = await database.many(
    `select ${GROUP}, sum(runs)::int as runs from run_counts group by ${GROUP} having sum(runs) <> 0 order by ${GROUP}`,
  );
  const rows = await database.many(
    `select ${GROUP}, count(*)::int as runs from workflow_runs
      where community_id is not null and workflow_definition_id is not null group by ${GROUP} order by ${GROUP}`,
  );
  expect(counted).toEqual(rows);
}

async function insert(count: number, values: Partial<Record<string, unknown>> = {}): Promise<string[]> {
  const { workflow = 'w', community = 1, owner = 'ann', status = 'PENDING' } = values;
  const rows = await database.many<{ run_id: string }>(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, community_id, owner, status)
     select gen_random_uuid(), 'wf', 'w', $2, $3, $4, $5 from generate_series(1, $1) returning run_id`,
    [count, workflow, community, owner, status],
  );
  return rows.map(({ run_id }) => run_id);
}

describe('counts of runs', () => {
  it('follow inserts, changes of every kind, and deletes', async () => {
    const runIds = await insert(5);
    await insert(2, { owner: null });
    await insert(2, { community: null });
    await insert(2, { workflow: null });
    await expectExactCounts();
    const [first, second, third, fourth] = runIds;
    const set = (change: string, runId?: string) =>
      database.execute(`update workflow_runs set ${change} where run_id = $1`, [runId]);
    await set("status = 'RUNNING'", first);
    await set("status = 'RUNNING', paused_at = now()", second);
    await expectExactCounts();
    await set('paused_at = null', second);
    await set('community_id = 2', third);
    await set('community_id = null', fourth);
    await set("owner = 'bob', workflow_definition_id = 'v'", first);
    await set('sequence = sequence + 1, updated_at = now()', first);
    await expectExactCounts();
    await set('community_id = 3', fourth);
    await database.execute('delete from workflow_runs where run_id = any($1)', [[first, second]]);
    await expectExactCounts();
    const rolledBack = database.transaction(async (transaction) => {
      await transaction.execute("update workflow_runs set status = 'FAILED'");
      throw new Error('never mind');
    });
    await expect(rolledBack).rejects.toThrow('never mind');
    await expectExactCounts();
  });

  it('are exact when many batches change runs of the same workflows at once, in whatever order', async () => {
    const workflows = Array.from({ length: 5 }, () => randomUUID());
    const runIds = (await Promise.all(workflows.map((workflow) => insert(40, { workflow })))).flat();
    const shuffled = (seed: number) =>
      runIds.map((id, i) => [(i * seed) % 199, id] as const).sort(([a], [b]) => a - b);
    const change = async (seed: number, status: string) => {
      const mine = shuffled(seed).map(([, id]) => id);
      for (let i = 0; i < mine.length; i += 20) {
        await database.transaction(async (transaction) => {
          // As a batch does: locks in one order first.
          const batch = mine.slice(i, i + 20);
          await transaction.many(
            'select from workflow_runs where run_id = any($1) order by run_id for update',
            [batch],
          );
          await transaction.execute('update workflow_runs set status = $2 where run_id = any($1)', [
            batch,
            status,
          ]);
        });
      }
    };
    await Promise.all(
      ['RUNNING', 'COMPLETED', 'FAILED', 'PENDING', 'CANCELLED', 'RUNNING', 'COMPLETED', 'PENDING'].map(
        (status, i) => change([3, 7, 11, 13, 17, 19, 23, 29][i]!, status),
      ),
    );
    await expectExactCounts();
    const { shards } = await database.one<{ shards: number }>(
      'select count(distinct shard)::int as shards from run_counts',
    );
    expect(shards).toBeGreaterThan(1);
  });

  it('are counted once for all runs of a batch: each counter is written once', async () => {
    const workflow = randomUUID();
    const runIds = await insert(100, { workflow });
    const changed = runIds.map((runId, i) => ({
      run: run({
        runId,
        sequence: 1,
        status: i % 2 ? 'COMPLETED' : 'RUNNING',
        completedAt: i % 2 ? 1 : null,
      }),
      was: 0,
      statusWas: 'PENDING' as const,
      workflowWasPaused: null,
      versionId: null,
    }));
    const [before, after] = await database.transaction(async (transaction) => {
      const writes = () =>
        transaction.one<{ ended: number; listed: number }>(
          `select sum(n_tup_ins + n_tup_upd) filter (where relname = 'closed_run_counts')::int as ended,
                  sum(n_tup_ins + n_tup_upd) filter (where relname = 'run_counts')::int as listed
             from pg_stat_xact_user_tables`,
        );
      const earlier = await writes();
      await saveChanges(transaction, { ...NO_CHANGES, changed }, { id: randomUUID(), messages: [] });
      return [earlier, await writes()];
    });
    // Fewer are pending, and there are some that run and some that ended.
    expect([after.ended - before.ended, after.listed - before.listed]).toEqual([1, 3]);
    await expectExactCounts();
    const { ended } = await database.one<{ ended: number }>(
      'select sum(runs)::int as ended from closed_run_counts where workflow_definition_id = $1',
      [workflow],
    );
    expect(ended).toBe(50);
  });
});
