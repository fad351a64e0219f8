import { pendingRun } from '../../../shared/application/pending-run.ts';
import { attemptsOf, joinsOf, needsOf } from '../../../shared/engine/decide.ts';
import type { StartChild } from '../../../shared/engine/effects.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { Json, JsonObject } from '../../../shared/engine/json.ts';
import { EVERYTHING, knownOf, NOTHING_KNOWN } from '../../../shared/engine/known.ts';
import type { Needs } from '../../../shared/engine/needs.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { childOf, isWithin, joinOf } from '../../../shared/engine/scope-path.ts';
import {
  type Attempt,
  type Child,
  type GatheredChild,
  isOpenAttempt,
  type Join,
  type Run,
  type ScopeSet,
  type ScopeValues,
  type Signal,
  type StartableWorkflow,
  type State,
  stepKey,
  workflowKey,
} from '../../../shared/engine/state.ts';
import { asBefore } from '../../support/memory-reads.ts';

/** A run with all its rows. */
export interface StoredRun {
  run: Run;
  readonly plan: Plan;
  readonly workflowName: string;
  readonly input: Json;
  readonly attempts: Map<string, Attempt>;
  readonly joins: Map<string, Join>;
  readonly children: Map<string, Child>;
  readonly signals: Map<string, Signal>;
  readonly variables: Map<string, Json>;
  readonly errors: Map<string, JsonObject>;
  /** All that was set in scopes, in its order. */
  readonly sets: ScopeSet[];
}

/**
 * The engine's tables in memory. A decision gets what `joinsOf` and `needsOf` name and no more, in the stages in which production
 * loads it; or everything, to be compared with.
 */
export class EngineStore {
  readonly pausedWorkflows = new Set<string>();
  readonly runs = new Map<string, StoredRun>();
  readonly #plans: ReadonlyMap<string, Plan>;

  constructor(plans: ReadonlyMap<string, Plan>) {
    this.#plans = plans;
  }

  insert(runId: string, workflowName: string, input: Json, wakeAt: number, given: Partial<Run> = {}): void {
    if (this.runs.has(runId)) throw new Error(`There is a run ${runId} already`);
    const run = { ...pendingRun(runId), wakeAt, ...given };
    const plan = this.#plans.get(workflowName);
    if (plan === undefined) throw new Error(`There is no workflow ${workflowName}`);
    this.runs.set(runId, {
      run,
      plan,
      workflowName,
      input,
      attempts: new Map(),
      joins: new Map(),
      children: new Map(),
      signals: new Map(),
      variables: new Map(),
      errors: new Map(),
      sets: [],
    });
  }

  insertChild(parentRunId: string, child: StartChild, wakeAt: number): void {
    const { childRunId, workflow, inputData, depth, parentStepExecutionId } = child;
    const parent =
      parentStepExecutionId === null ? null : { runId: parentRunId, stepExecutionId: parentStepExecutionId };
    this.insert(childRunId, workflow.name, inputData, wakeAt, { parent, depth });
  }

  get(runId: string): StoredRun {
    const stored = this.runs.get(runId);
    if (stored === undefined) throw new Error(`There is no run ${runId}`);
    return stored;
  }

  /**
   * What a batch of events about one run needs; all of it is told before the first is decided.
   * @param lacking what the first was found to need beside
   * @param isTold false: nothing is told, but to a retry, and all that is found
   */
  load(runId: string, events: readonly EngineEvent[], lacking: readonly Needs[] = [], isTold = true): State {
    const stored = this.get(runId);
    const attempts = new Map<string, Attempt>();
    const add = (attempt: Attempt) =>
      attempts.set(attempt.stepExecutionId, moreOf(attempts.get(attempt.stepExecutionId), attempt));
    const addById = (id: string) => {
      const attempt = stored.attempts.get(id);
      if (attempt !== undefined) add(stripped(attempt, false));
    };
    for (const event of events) attemptsFor(stored, event).forEach(add);
    const begun: State = {
      ...nothing(),
      run: { ...this.#seen(stored, events), outputData: null },
      known: NOTHING_KNOWN,
      attempts,
      joins: new Map(),
      parentAttempt: this.#parentAttempt(events),
    };
    const told = isTold ? events : events.filter(({ type }) => type === 'retry_requested');
    const joins = this.#joins(stored, begun, told);
    for (const path of lacking.flatMap((needs) => needs.joins)) copyOne(stored.joins, path, joins);
    for (const { stepExecutionId } of joins.values()) addById(stepExecutionId);
    const about: State = { ...begun, joins };
    const needs = [...told.map((event) => needsOf(stored.plan, about, event)), ...lacking];
    for (const { attempts: ids } of needs) ids.forEach(addById);
    const resuming = needs.flatMap(({ resuming: scopes }) => scopes);
    const inside = [...stored.joins].filter(([path]) => resuming.some((scope) => isWithin(path, scope)));
    const state: State = { ...about, joins: new Map([...joins, ...inside]) };
    for (const scope of resuming) lastWithin(stored, scope).forEach(add);
    const data = this.#data(stored, needs);
    for (const path of needs.flatMap(({ openWithin }) => openWithin))
      for (const attempt of stored.attempts.values())
        if (isOpenAttempt(attempt) && isWithin(attempt.scope, path)) add(stripped(attempt, false));
    const known = knownOf([
      ...events.map((event) => ({ attempts: attemptsOf(event) })),
      ...told.map((event) => ({ joins: joinsOf(stored.plan, begun, event) })),
      ...needs.map((each) => ({ needs: each })),
    ]);
    return { ...state, ...data, known };
  }

  /** The attempt that asks for a retry. */
  #parentAttempt(events: readonly EngineEvent[]): Attempt | undefined {
    const asking = events.flatMap((event) =>
      event.type === 'retry_requested' || event.type === 'answer_requested'
        ? (event.parentStepExecutionId ?? [])
        : [],
    );
    return [...this.runs.values()].flatMap(({ attempts }) => attempts.get(asking[0] ?? '') ?? [])[0];
  }

  /** Everything that there is of the run. */
  loadAll(runId: string, events: readonly EngineEvent[]): State {
    const stored = this.get(runId);
    const visits = new Map<string, number>();
    for (const { scope, stepId } of stored.attempts.values())
      visits.set(stepKey(scope, stepId), visitsOf(stored, scope, stepId));
    const paths = [...stored.joins.keys()];
    return {
      run: this.#seen(stored, events),
      known: EVERYTHING,
      attempts: new Map(stored.attempts),
      joins: new Map(stored.joins),
      children: new Map(stored.children),
      signals: new Map(stored.signals),
      workflowInput: stored.input,
      variables: new Map([['', stored.input], ...stored.variables]),
      errors: new Map(stored.errors),
      earlier: this.#data(stored, [needsOf(stored.plan, this.load(runId, events), events[0] as EngineEvent)])
        .earlier,
      sets: [],
      outputs: outputsOf(stored),
      visits,
      workflows: new Map([...this.#plans.keys()].map((name) => [workflowKey(name, null), startable(name)])),
      gathered: new Map(paths.map((path) => [path, gather(stored, path)])),
      parentAttempt: this.#parentAttempt(events),
    };
  }

  /** As it is locked. */
  #seen({ run, workflowName }: StoredRun, events: readonly EngineEvent[]): Run {
    const isWoken = events.some((event) => event.type === 'woken' && event.stepExecutionId === null);
    const isTold = run.status !== 'RUNNING' || isWoken;
    return { ...run, isWorkflowPaused: isTold ? this.pausedWorkflows.has(workflowName) : null };
  }

  /** Writes what a decision changed, with the guards of the statements. */
  commit(runId: string, before: State, after: State): void {
    const stored = this.get(runId);
    // What only answers its parent again is as it was.
    if (after.run === before.run) {
      if (after.attempts !== before.attempts) throw new Error('Attempts change, and the sequence does not');
      return;
    }
    if (after.run.sequence <= stored.run.sequence) throw new Error('Every decision raises the sequence');
    stored.run = after.run;
    for (const attempt of changed(before.attempts, after.attempts)) this.#write(stored, attempt);
    for (const join of changed(before.joins, after.joins)) stored.joins.set(join.path, join);
    for (const child of changed(before.children, after.children)) {
      const input = stored.children.get(child.scope)?.input ?? child.input;
      stored.children.set(child.scope, { ...child, input });
    }
    for (const signal of changed(before.signals, after.signals)) stored.signals.set(signal.id, signal);
    for (const set of after.sets) {
      stored.sets.push(set);
      put(stored.variables, set, set.variables);
      put(stored.errors, set, set.error);
    }
  }

  #write(stored: StoredRun, attempt: Attempt): void {
    const { stepExecutionId: id } = attempt;
    const before = stored.attempts.get(id);
    if (before !== undefined) {
      if (!isOpenAttempt(before)) throw new Error(`I2: ${id} of ${attempt.stepId} is settled already`);
      stored.attempts.set(id, { ...attempt, inputData: attempt.inputData ?? before.inputData });
      return;
    }
    const key = uniqueKey(attempt);
    for (const other of stored.attempts.values())
      if (uniqueKey(other) === key) throw new Error(`There is an attempt ${key} already`);
    stored.attempts.set(id, attempt);
  }

  #joins(stored: StoredRun, state: State, events: readonly EngineEvent[]): Map<string, Join> {
    const joins = new Map<string, Join>();
    for (const event of events) {
      const named = joinsOf(stored.plan, state, event);
      for (const path of named === 'all' ? stored.joins.keys() : named) {
        const join = stored.joins.get(path);
        if (join !== undefined) joins.set(path, join);
      }
    }
    return joins;
  }

  #data(stored: StoredRun, all: readonly Needs[]): Data {
    const latest = all.some(({ outputs }) => outputs.length > 0)
      ? outputsOf(stored)
      : new Map<string, Json>();
    const data = nothing();
    for (const needs of all) {
      if (needs.workflowInput) data.workflowInput = stored.input;
      for (const scope of needs.variables) {
        if (scope === '') data.variables.set('', stored.variables.get('') ?? stored.input);
        else copyOne(stored.variables, scope, data.variables);
      }
      for (const scope of needs.errors) copyOne(stored.errors, scope, data.errors);
      for (const { scope, before } of needs.earlier)
        data.earlier.set(
          scope,
          asBefore(
            stored.sets.filter((set) => set.scope === scope),
            before,
          ),
        );
      for (const { scope, stepId } of needs.outputs) copyOne(latest, stepKey(scope, stepId), data.outputs);
      for (const { scope, stepId } of needs.visits)
        data.visits.set(stepKey(scope, stepId), visitsOf(stored, scope, stepId));
      const children = needs.children.flatMap((scope) => stored.children.get(scope) ?? []);
      if (needs.unfinishedChildren) children.push(...unfinishedChildren(stored));
      for (const scope of needs.resuming)
        children.push(...unfinishedChildren(stored).filter((child) => isWithin(child.scope, scope)));
      // What they came to is read where their join's are gathered.
      for (const child of children)
        data.children.set(child.scope, { ...child, nextWaiting: null, output: null });
      // Which waits after it is read of the one that goes on.
      for (const scope of needs.resuming) copyOne(stored.children, scope, data.children);
      for (const path of needs.gathered) data.gathered.set(path, gather(stored, path));
      for (const id of needs.signalIds) copyOne(stored.signals, id, data.signals);
      for (const { name, version } of needs.workflows)
        data.workflows.set(workflowKey(name, version), this.#plans.has(name) ? startable(name) : null);
    }
    const names = all.flatMap(({ signalNames }) => signalNames);
    for (const name of new Set(names)) {
      const untaken = [...stored.signals.values()].filter(
        (signal) => signal.name === name && signal.takenBy === null,
      );
      const count = names.filter((each) => each === name).length;
      for (const signal of untaken.sort((a, b) => a.receivedAt - b.receivedAt).slice(0, count))
        data.signals.set(signal.id, signal);
    }
    return data;
  }
}

type Data = Omit<State, 'run' | 'known' | 'attempts' | 'joins'>;

function nothing() {
  return {
    workflowInput: null as Json,
    variables: new Map<string, Json>(),
    errors: new Map<string, JsonObject>(),
    earlier: new Map<string, ScopeValues>(),
    sets: [],
    outputs: new Map<string, Json>(),
    visits: new Map<string, number>(),
    children: new Map<string, Child>(),
    gathered: new Map<string, readonly GatheredChild[]>(),
    signals: new Map<string, Signal>(),
    workflows: new Map<string, StartableWorkflow | null>(),
  } satisfies Data;
}

/** Which attempts an event is about, by its type alone. */
function attemptsFor(stored: StoredRun, event: EngineEvent): Attempt[] {
  const all = [...stored.attempts.values()];
  const byId = (id: string, withInput: boolean) => {
    const attempt = stored.attempts.get(id);
    return attempt === undefined ? [] : [stripped(attempt, withInput)];
  };
  const open = () => all.filter(isOpenAttempt).map((attempt) => stripped(attempt, false));
  const lastAtTop = () => {
    const last = latest(all.filter(({ scope }) => scope === ''));
    return last === undefined ? [] : [stripped(last, false)];
  };
  switch (event.type) {
    case 'agent_answered':
      return byId(event.stepExecutionId, event.outcome.status === 'failed');
    case 'step_requested':
      return byId(event.stepExecutionId, true);
    case 'woken':
      return event.stepExecutionId === null ? [...open(), ...lastAtTop()] : byId(event.stepExecutionId, true);
    case 'cancellation_requested':
      return open();
    case 'resume_requested':
      return [...open(), ...lastAtTop()];
    case 'signal_received':
      return all
        .filter(({ status, signalName }) => status === 'RUNNING' && signalName === event.name)
        .sort((a, b) => a.createdAt - b.createdAt)
        .map((attempt) => stripped(attempt, false));
    case 'answer_requested':
      return lastAtTop();
    case 'retry_requested':
      return attemptsToRetry(stored, all, event.fromStep ?? null, event.fromScope ?? null);
    default:
      return [];
  }
}

/** The last of the top, of each child that began and did not complete, and of the step to go back to. */
function attemptsToRetry(
  stored: StoredRun,
  all: readonly Attempt[],
  fromStep: string | null,
  fromScope: string | null,
): Attempt[] {
  const scopes = ['', ...unfinishedChildren(stored).map(({ scope }) => scope)];
  const lasts = scopes.map((scope) => latest(all.filter((attempt) => attempt.scope === scope)));
  const target = all.filter(
    ({ stepId, scope }) => stepId === fromStep && (fromScope === null || scope === fromScope),
  );
  return [...lasts, latest(target)].flatMap((attempt) =>
    attempt === undefined ? [] : [stripped(attempt, attempt.childRunId !== null)],
  );
}

/** The last of a scope, and of each child within that began and did not complete. */
function lastWithin(stored: StoredRun, scope: string): Attempt[] {
  const within = unfinishedChildren(stored).filter((child) => isWithin(child.scope, scope));
  const all = [...stored.attempts.values()];
  return [scope, ...within.map((child) => child.scope)].flatMap((each) => {
    const last = latest(all.filter((attempt) => attempt.scope === each));
    return last === undefined ? [] : [stripped(last, last.childRunId !== null)];
  });
}

/** order by created_at desc, id desc limit 1 */
function latest(attempts: readonly Attempt[]): Attempt | undefined {
  const later = (a: Attempt, b: Attempt) =>
    b.createdAt - a.createdAt || (a.stepExecutionId < b.stepExecutionId ? 1 : -1);
  return [...attempts].sort(later)[0];
}

/** What the statement selects of a row. */
function stripped(attempt: Attempt, withInput: boolean): Attempt {
  const inputData = withInput ? attempt.inputData : null;
  return { ...attempt, inputData, outputData: null, error: null, logs: null };
}

function moreOf(one: Attempt | undefined, other: Attempt): Attempt {
  return one === undefined ? other : { ...other, inputData: one.inputData ?? other.inputData };
}

function unfinishedChildren({ children, joins }: StoredRun): Child[] {
  return [...children.values()].filter(
    ({ scope, index, status }) =>
      status !== 'COMPLETED' && index < (joins.get(joinOf(scope) ?? '')?.started ?? 0),
  );
}

/** By step in its scope: of the latest attempt that completed. */
function outputsOf({ attempts }: StoredRun): Map<string, Json> {
  const completed = [...attempts.values()].filter(({ status }) => status === 'COMPLETED');
  completed.sort((a, b) => a.createdAt - b.createdAt);
  return new Map(completed.map(({ scope, stepId, outputData }) => [stepKey(scope, stepId), outputData]));
}

function visitsOf({ attempts }: StoredRun, scope: string, stepId: string): number {
  let visits = 0;
  for (const attempt of attempts.values())
    if (attempt.scope === scope && attempt.stepId === stepId) visits = Math.max(visits, attempt.visit);
  return visits;
}

function gather({ children }: StoredRun, path: string): GatheredChild[] {
  return [...children.values()]
    .filter(({ scope }) => joinOf(scope) === path)
    .sort((a, b) => a.index - b.index)
    .map(({ scope, index, status, output }) => ({ child: childOf(scope), index, status, output }));
}

function startable(name: string): StartableWorkflow {
  return { workflowId: `wf-${name}-1`, versionId: name, name, version: 1 };
}

function uniqueKey({ scope, stepId, visit, attempt }: Attempt): string {
  return JSON.stringify([scope, stepId, visit, attempt]);
}

/** Rows that are not as they were. */
export function changed<Row>(before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>): Row[] {
  return [...after].flatMap(([key, row]) => (before.get(key) === row ? [] : [row]));
}

function copyOne<Value>(from: ReadonlyMap<string, Value>, key: string, to: Map<string, Value>): void {
  const value = from.get(key);
  if (value !== undefined) to.set(key, value);
}

function put<Value>(table: Map<string, Value>, { scope, isWhole }: ScopeSet, value: Value | undefined): void {
  if (value !== undefined) table.set(scope, value);
  else if (isWhole) table.delete(scope);
}
