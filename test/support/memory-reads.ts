import type { AttemptQuery, JoinQuery, RunData, RunNeeds } from '../../shared/application/ports/run-store.ts';
import type { Json } from '../../shared/engine/json.ts';
import type { StepInScope } from '../../shared/engine/needs.ts';
import { childOf, isWithin, joinOf } from '../../shared/engine/scope-path.ts';
import {
  type Attempt,
  type Child,
  type GatheredChild,
  isOpenAttempt,
  type Join,
  type ScopeSet,
  type ScopeValues,
  type Signal,
  stepKey,
  workflowKey,
} from '../../shared/engine/state.ts';
import {
  type AttemptRow,
  attemptsOf,
  grouped,
  keyOf,
  type MemoryTables,
  unfinishedOf,
} from './memory-tables.ts';

/** As functions/load_attempts.sql. */
export function readAttempts(tables: MemoryTables, query: AttemptQuery): Map<string, Attempt[]> {
  const all = [...tables.attempts.values()];
  const inputs = new Set(query.withInput);
  const found = new Map<string, AttemptRow>();
  const add = (rows: readonly (AttemptRow | undefined)[]) => {
    for (const row of rows) if (row) found.set(row.attempt.stepExecutionId, row);
  };
  const openOf = (runId: string) => all.filter((row) => row.runId === runId && isOpenAttempt(row.attempt));
  const addLast = (rows: readonly AttemptRow[]) => {
    const [last] = rows.toSorted((a, b) => inOrder(b, a));
    add([last]);
    if (last && last.attempt.childRunId !== null) inputs.add(last.attempt.stepExecutionId);
  };
  add(query.ids.map((id) => tables.attempts.get(id)));
  for (const runId of query.openOf) add(openOf(runId));
  for (const { runId, path } of query.openWithin)
    add(openOf(runId).filter(({ attempt }) => isWithin(attempt.scope, path)));
  for (const { runId, path } of query.containers) {
    const joins = joinsOf(tables, runId).filter((join) => path === null || join.path === path);
    add(joins.map(({ stepExecutionId }) => tables.attempts.get(stepExecutionId)));
    if (path === null) for (const { stepExecutionId } of joins) inputs.add(stepExecutionId);
  }
  for (const { runId, name, count } of query.waiting) {
    const waiting = openOf(runId).filter(
      ({ attempt }) => attempt.status === 'RUNNING' && attempt.signalName === name,
    );
    add(waiting.sort(inOrder).slice(0, count));
  }
  for (const runId of query.lastOf) {
    const scopes = ['', ...unfinishedOf(tables, runId).map(({ scope }) => scope)];
    for (const scope of scopes)
      addLast(all.filter((row) => row.runId === runId && row.attempt.scope === scope));
  }
  for (const { runId, scope } of query.lastWithin) {
    const within = unfinishedOf(tables, runId).filter((child) => isWithin(child.scope, scope));
    for (const each of [scope, ...within.map((child) => child.scope)])
      addLast(all.filter((row) => row.runId === runId && row.attempt.scope === each));
  }
  for (const runId of query.lastAtTopOf) {
    const ofTop = all.filter((row) => row.runId === runId && row.attempt.scope === '');
    add(ofTop.toSorted((a, b) => inOrder(b, a)).slice(0, 1));
  }
  for (const { runId, scope, stepId } of query.steps) {
    const isAsked = (other: string) => scope === null || other === scope || isWithin(other, scope);
    addLast(
      all.filter(
        ({ runId: ofRun, attempt }) => ofRun === runId && attempt.stepId === stepId && isAsked(attempt.scope),
      ),
    );
  }
  return grouped(
    [...found.values()].map(({ runId, attempt }) => {
      const inputData = inputs.has(attempt.stepExecutionId) ? attempt.inputData : null;
      const error = attempt.error && { code: attempt.error.code, message: '' };
      return [runId, { ...attempt, inputData, outputData: null, error, logs: null }];
    }),
  );
}

/** order by created_at, id */
function inOrder({ attempt: a }: AttemptRow, { attempt: b }: AttemptRow): number {
  return a.createdAt - b.createdAt || (a.stepExecutionId < b.stepExecutionId ? -1 : 1);
}

function joinsOf({ joins }: MemoryTables, runId: string): Join[] {
  return [...joins.values()].filter((row) => row.runId === runId).map(({ join }) => join);
}

export function readJoins(tables: MemoryTables, { paths, allOf, within }: JoinQuery): Map<string, Join[]> {
  return grouped([
    ...paths.flatMap(({ runId, path }) => {
      const row = tables.joins.get(keyOf(runId, path));
      return row ? [[runId, row.join] as const] : [];
    }),
    ...allOf.flatMap((runId) => joinsOf(tables, runId).map((join) => [runId, join] as const)),
    ...within.flatMap(({ runId, scope }) =>
      joinsOf(tables, runId).flatMap((join) => (isWithin(join.path, scope) ? [[runId, join] as const] : [])),
    ),
  ]);
}

/** As functions/load_run_data.sql. */
export function readData(tables: MemoryTables, { runId, owner, needs }: RunNeeds): RunData {
  const { inputData, variables } = tables.runs.get(runId)!;
  const attempts = attemptsOf(tables, runId);
  const ofStep = ({ scope, stepId }: StepInScope) =>
    attempts.filter((attempt) => attempt.scope === scope && attempt.stepId === stepId);
  const variablesOf = (scope: string): Json | undefined => {
    const own = tables.data.get(keyOf(runId, scope))?.variables ?? null;
    if (scope === '') return own ?? variables ?? inputData;
    return own ?? undefined;
  };
  const children = [
    ...needs.children.flatMap((scope) => tables.children.get(keyOf(runId, scope))?.child ?? []),
    ...(needs.unfinishedChildren ? unfinishedOf(tables, runId) : []),
    ...needs.resuming.flatMap((scope) =>
      unfinishedOf(tables, runId).filter((child) => isWithin(child.scope, scope)),
    ),
  ].map((child): Child => ({ ...child, nextWaiting: null }));
  // Which waits after it is read of the one that goes on.
  children.push(...needs.resuming.flatMap((scope) => tables.children.get(keyOf(runId, scope))?.child ?? []));
  return {
    workflowInput: needs.workflowInput ? (inputData ?? variables) : null,
    variables: found(needs.variables, variablesOf),
    errors: found(needs.errors, (scope) => tables.data.get(keyOf(runId, scope))?.error ?? undefined),
    earlier: new Map(
      needs.earlier.map(({ scope, before }) => [
        scope,
        asBefore(tables.history.get(keyOf(runId, scope))?.sets, before),
      ]),
    ),
    outputs: new Map(
      needs.outputs.flatMap((step) => {
        const [completed] = ofStep(step)
          .filter(({ status }) => status === 'COMPLETED')
          .sort((a, b) => b.visit - a.visit || b.attempt - a.attempt);
        return completed ? [[stepKey(step.scope, step.stepId), completed.outputData] as const] : [];
      }),
    ),
    visits: new Map(
      needs.visits.map((step) => [
        stepKey(step.scope, step.stepId),
        Math.max(0, ...ofStep(step).map(({ visit }) => visit)),
      ]),
    ),
    children: new Map(children.map((child) => [child.scope, { ...child, output: null }])),
    gathered: found(needs.gathered, (path) => gatheredOf(tables, runId, path)),
    signals: new Map(signalsOf(tables, runId, needs).map((signal) => [signal.id, signal])),
    workflows: new Map(
      needs.workflows.flatMap(({ name, version }) => {
        const workflow = (tables.workflows.get(owner ?? '') ?? []).findLast(
          (each) => each.name === name && (version === null || each.version === version),
        );
        return workflow ? [[workflowKey(name, version), workflow] as const] : [];
      }),
    ),
  };
}

/** What was set last of each before that time. */
export function asBefore(sets: readonly ScopeSet[] = [], before: number): ScopeValues {
  let values: ScopeValues = {};
  for (const { since, variables, error, isWhole } of sets.toSorted((a, b) => a.since - b.since))
    if (since < before)
      values = isWhole
        ? { variables, error }
        : { variables: variables ?? values.variables, error: error ?? values.error };
  return values;
}

function gatheredOf(
  { children }: MemoryTables,
  runId: string,
  path: string,
): readonly GatheredChild[] | undefined {
  const gathered = [...children.values()]
    .filter((row) => row.runId === runId && joinOf(row.child.scope) === path)
    .map(({ child: { scope, index, status, output } }) => ({ child: childOf(scope), index, status, output }))
    .sort((a, b) => a.index - b.index);
  return gathered.length === 0 ? undefined : gathered;
}

function signalsOf(
  { signals }: MemoryTables,
  runId: string,
  { signalIds, signalNames }: RunNeeds['needs'],
): Signal[] {
  const ofRun = [...signals.values()].flatMap((row) => (row.runId === runId ? [row.signal] : []));
  const untaken = [...new Set(signalNames)].flatMap((name) =>
    ofRun
      .filter((signal) => signal.name === name && signal.takenBy === null)
      .sort((a, b) => a.receivedAt - b.receivedAt || (a.id < b.id ? -1 : 1))
      .slice(0, signalNames.filter((other) => other === name).length),
  );
  return [...ofRun.filter(({ id }) => signalIds.includes(id)), ...untaken];
}

function found<Value>(keys: readonly string[], find: (key: string) => Value | undefined): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const key of keys) {
    const value = find(key);
    if (value !== undefined) values.set(key, value);
  }
  return values;
}
