import type { JoinQuery } from '../application/ports/run-store.ts';
import type { Join } from '../engine/state.ts';
import { joinOf, type Row } from './columns.ts';
import type { Statements } from './database.ts';

/** By run (functions/load_joins.sql). One statement, or none where nothing is asked. */
export async function loadJoins(
  statements: Statements,
  { paths, allOf, within }: JoinQuery,
): Promise<ReadonlyMap<string, Join[]>> {
  if (paths.length + allOf.length + within.length === 0) return new Map();
  const rows = await statements.many<Row & { readonly run_id: string }>(
    'select * from load_joins($1, $2, $3, $4, $5)',
    [
      paths.map(({ runId }) => runId),
      paths.map(({ path }) => path),
      allOf,
      within.map(({ runId }) => runId),
      within.map(({ scope }) => scope),
    ],
  );
  const byRun = Map.groupBy(rows, ({ run_id }) => run_id);
  return new Map([...byRun].map(([runId, ofRun]) => [runId, ofRun.map(joinOf)]));
}
