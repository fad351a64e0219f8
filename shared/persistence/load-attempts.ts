import type { AttemptQuery } from '../application/ports/run-store.ts';
import type { Attempt } from '../engine/state.ts';
import { attemptOf, type Row } from './columns.ts';
import type { Statements } from './database.ts';

export type AttemptRow = Row & { readonly run_id: string; readonly step_execution_id: string };

/** What a batch's events are about, by run (functions/load_attempts.sql). One statement, or none where nothing is asked. */
export async function loadAttempts(
  statements: Statements,
  query: AttemptQuery,
): Promise<ReadonlyMap<string, Attempt[]>> {
  const parameters = attemptParameters(query);
  const [ids, , others] = parameters;
  if (ids.length === 0 && others === null) return new Map();
  const rows = await statements.many<AttemptRow>('select * from load_attempts($1, $2, $3, $4, $5)', [
    null,
    null,
    ...parameters,
  ]);
  const byRun = Map.groupBy(rows, ({ run_id }) => run_id);
  return new Map([...byRun].map(([runId, ofRun]) => [runId, ofRun.map(attemptOf)]));
}

export function attemptParameters({ ids, withInput, ...query }: AttemptQuery) {
  const others = othersOf(query);
  return [ids, withInput, others.length === 0 ? null : JSON.stringify(others)] as const;
}

interface Other {
  readonly kind: 'parent' | 'open' | 'within' | 'container' | 'waiting' | 'last' | 'top' | 'step';
  readonly run_id?: string;
  readonly path?: string | null;
  readonly name?: string;
  readonly number?: number;
}

function othersOf({
  parents,
  openOf,
  openWithin,
  containers,
  waiting,
  lastOf,
  lastWithin,
  lastAtTopOf,
  steps,
}: Omit<AttemptQuery, 'ids' | 'withInput'>): Other[] {
  return [
    ...parents.map((id): Other => ({ kind: 'parent', name: id })),
    ...openOf.map((runId): Other => ({ kind: 'open', run_id: runId })),
    ...openWithin.map(({ runId, path }): Other => ({ kind: 'within', run_id: runId, path })),
    ...containers.map(({ runId, path }): Other => ({ kind: 'container', run_id: runId, path })),
    ...waiting.map(
      ({ runId, name, count }): Other => ({ kind: 'waiting', run_id: runId, name, number: count }),
    ),
    ...lastOf.map((runId): Other => ({ kind: 'last', run_id: runId })),
    ...lastWithin.map(({ runId, scope }): Other => ({ kind: 'last', run_id: runId, path: scope })),
    ...lastAtTopOf.map((runId): Other => ({ kind: 'top', run_id: runId })),
    ...steps.map(
      ({ runId, scope, stepId }): Other => ({ kind: 'step', run_id: runId, path: scope, name: stepId }),
    ),
  ];
}
