import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { AttemptQuery, DataQuery, RunStore, RunTransaction } from '../application/ports.ts';
import type { JsonObject } from '../engine/json.ts';
import { loadAgentRoutes } from './agent-routes.ts';
import type { Database, Statements } from './database.ts';
import { loadAttempts } from './load-attempts.ts';
import { loadRunData } from './load-run-data.ts';
import { loadVersions } from './load-versions.ts';
import { lockRuns } from './lock-runs.ts';
import { saveChanges } from './save-changes.ts';

/** The engine's transactions. Runs are locked first, in one order, and each row is written once (design §3). */
export function createRunStore(database: Database): RunStore {
  return {
    transaction: (work) => database.transaction((statements) => work(runTransaction(statements))),
  };
}

function runTransaction(statements: Statements): RunTransaction {
  return {
    lockRuns: (runIds) => lockRuns(statements, runIds),
    loadAttempts: (query: AttemptQuery) => loadAttempts(statements, query),
    loadData: (query: DataQuery) => loadRunData(statements, query),
    loadVersions: (versionIds) => loadVersions(statements, versionIds),
    loadAgentRoutes: (names) => loadAgentRoutes(statements, names),
    storeInlinePlan: (definition) => storeInlinePlan(statements, definition),
    save: (changes) => saveChanges(statements, changes),
  };
}

async function storeInlinePlan(statements: Statements, definition: JsonObject): Promise<string> {
  const text = JSON.stringify(definition);
  const hash = createHash('sha256').update(text).digest();
  const [, row] = await Promise.all([
    statements.execute(
      `insert into workflow_versions (id, version, definition, content_hash) values ($1, 1, $2, $3)
       on conflict (content_hash) where workflow_id is null do nothing`,
      [uuidv7(), text, hash],
    ),
    statements.one<{ id: string }>(
      'select id from workflow_versions where content_hash = $1 and workflow_id is null',
      [hash],
    ),
  ]);
  return row.id;
}
