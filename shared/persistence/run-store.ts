import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { RunReads, RunSaves, RunStore } from '../application/ports/run-store.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Database, Statements } from './database.ts';
import { loadAttempts } from './load-attempts.ts';
import { loadJoins } from './load-joins.ts';
import { loadRunData } from './load-run-data.ts';
import { loadRuns, lockRuns } from './load-runs.ts';
import { loadVersions } from './load-versions.ts';
import type { PublishedEntries } from './published-entries.ts';
import { saveChanges } from './save-changes.ts';

/**
 * What the engine reads and saves. Nothing is held between the two: a decision is saved if its run is as it was read (design §3).
 * @param published entries that go with the next save
 */
export function createRunStore(database: Database, published: PublishedEntries): RunStore {
  return {
    ...readsAndSaves(database, published),
    underLock: (runIds, work) =>
      database.transaction(async (statements) => {
        await lockRuns(statements, runIds);
        return work(readsAndSaves(statements, published));
      }),
  };
}

function readsAndSaves(statements: Statements, published: PublishedEntries): RunReads & RunSaves {
  return {
    loadRuns: (query) => loadRuns(statements, query),
    loadAttempts: (query) => loadAttempts(statements, query),
    loadJoins: (query) => loadJoins(statements, query),
    loadData: (asked) => loadRunData(statements, asked),
    loadCompletedSteps: (runIds) => loadCompletedSteps(statements, runIds),
    loadVersions: (versionIds) => loadVersions(statements, versionIds),
    storeInlinePlans: (definitions) => storeInlinePlans(statements, definitions),
    save: (changes, outbox, agents) =>
      published.goWith((ids) => saveChanges(statements, changes, outbox, agents, ids)),
  };
}

/** Reads all that the runs did: only for one that is to go on with another version. */
async function loadCompletedSteps(statements: Statements, runIds: readonly string[]) {
  const rows = await statements.many<{ run_id: string; step_ids: string[] }>(
    `select run_id, array_agg(distinct step_id::text order by step_id::text) as step_ids
       from step_executions where run_id = any($1) and status = 'COMPLETED' group by run_id`,
    [runIds],
  );
  return new Map(rows.map(({ run_id, step_ids }) => [run_id, step_ids]));
}

async function storeInlinePlans(
  statements: Statements,
  definitions: readonly WorkflowDefinition[],
): Promise<string[]> {
  const plans = definitions.map((definition) => {
    const hash = createHash('sha256').update(JSON.stringify(definition)).digest('hex');
    return { id: uuidv7(), definition, hash };
  });
  // In one order, so that two batches that bring the same plans wait for each other instead of deadlocking.
  const distinct = [...new Map(plans.map((plan) => [plan.hash, plan])).values()].sort((a, b) =>
    a.hash < b.hash ? -1 : 1,
  );
  const [, rows] = await Promise.all([
    statements.execute(
      `insert into workflow_versions (id, version, definition, content_hash)
       select id, 1, definition, decode(hash, 'hex') from json_to_recordset($1::json) as v (id uuid, definition json, hash text)
       on conflict (content_hash) where workflow_id is null do nothing`,
      [JSON.stringify(distinct)],
    ),
    statements.many<{ id: string; hash: string }>(
      `select id, encode(content_hash, 'hex') as hash from workflow_versions
        where content_hash = any($1::bytea[]) and workflow_id is null`,
      [distinct.map(({ hash }) => Buffer.from(hash, 'hex'))],
    ),
  ]);
  const ids = new Map(rows.map(({ id, hash }) => [hash, id]));
  return plans.map(({ hash }) => ids.get(hash) as string);
}
