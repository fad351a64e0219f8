import type { JoinQuery } from '../application/ports/run-store.ts';
import type { Join } from '../engine/state.ts';
import type { Statements } from './database.ts';

interface JoinRow {
  run_id: string;
  path: string;
  step_id: string;
  step_execution_id: string;
  total: number;
  needed: number;
  tolerated: number;
  started: number;
  waiting: number;
  next_waiting: number | null;
  completed: number;
  failed: number;
  output_bytes: number;
  is_over: boolean;
  failure_code: string | null;
  failure_message: string | null;
}

/** By run (functions/load_joins.sql). One statement, or none where nothing is asked. */
export async function loadJoins(
  statements: Statements,
  { paths, allOf, within }: JoinQuery,
): Promise<ReadonlyMap<string, Join[]>> {
  if (paths.length + allOf.length + within.length === 0) return new Map();
  const rows = await statements.many<JoinRow>('select * from load_joins($1, $2, $3, $4, $5)', [
    paths.map(({ runId }) => runId),
    paths.map(({ path }) => path),
    allOf,
    within.map(({ runId }) => runId),
    within.map(({ scope }) => scope),
  ]);
  const byRun = Map.groupBy(rows, ({ run_id }) => run_id);
  return new Map([...byRun].map(([runId, ofRun]) => [runId, ofRun.map(joinOf)]));
}

function joinOf(row: JoinRow): Join {
  return {
    path: row.path,
    stepId: row.step_id,
    stepExecutionId: row.step_execution_id,
    total: row.total,
    needed: row.needed,
    tolerated: row.tolerated,
    started: row.started,
    waiting: row.waiting,
    nextWaiting: row.next_waiting,
    completed: row.completed,
    failed: row.failed,
    outputBytes: row.output_bytes,
    isOver: row.is_over,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
  };
}
