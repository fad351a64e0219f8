import { attemptsOf, joinsOf, needsOf } from '../engine/decide.ts';
import { knownOf, NOTHING_KNOWN } from '../engine/known.ts';
import { type Needs, NO_NEEDS, together } from '../engine/needs.ts';
import type { Plan } from '../engine/plan.ts';
import type { Attempt, Join, State } from '../engine/state.ts';
import { isEmptyQuery, NO_ATTEMPTS } from './attempt-query.ts';
import type { BatchItem } from './batch.ts';
import type { AttemptQuery, LoadedRun, RunReads } from './ports/run-store.ts';

export interface PlannedItem extends BatchItem {
  readonly loaded: LoadedRun;
  /** Absent where the run has none: it needs nothing more then. */
  readonly plan: Plan | undefined;
  /** What its decision was found to read beside what it was told to need. */
  readonly lacking?: readonly Needs[] | undefined;
}

/**
 * The states that a batch's decisions start from, by run, each with what all of its items need. In stages, since what is loaded
 * tells what else is needed: a sequence needs its data alone, what stands in a branch or item, or opens them, its joins before.
 */
export async function loadStates(
  reads: RunReads,
  items: readonly PlannedItem[],
  about: ReadonlyMap<string, readonly Attempt[]>,
): Promise<Map<string, State>> {
  const states = new Map<string, State>();
  for (const { runId, loaded } of items)
    if (!states.has(runId)) states.set(runId, initialState(loaded, about.get(runId)));
  for (const { runId, loaded, event } of items) {
    const asksForParent = event.type === 'retry_requested' || event.type === 'answer_requested';
    if (!asksForParent || !event.parentStepExecutionId) continue;
    const ofParent = about.get(loaded.run.parent?.runId ?? '') ?? [];
    const parentAttempt = ofParent.find(
      ({ stepExecutionId }) => stepExecutionId === event.parentStepExecutionId,
    );
    states.set(runId, { ...(states.get(runId) as State), parentAttempt });
  }
  const stateOf = (runId: string) => states.get(runId) as State;

  const joins = joinQueryOf(items, stateOf);
  if (joins !== null) {
    const { paths, allOf } = joins;
    const containers = [...paths, ...allOf.map((runId) => ({ runId, path: null }))];
    const [found, attempts] = await Promise.all([
      reads.loadJoins({ paths, allOf, within: [] }),
      loadAttempts(reads, { ...NO_ATTEMPTS, containers }),
    ]);
    for (const [runId, ofRun] of found) addJoins(states, runId, ofRun);
    addAttempts(states, attempts);
  }

  const needs = needsByRun(items, stateOf);
  const openWithin = [...needs].flatMap(([runId, { openWithin: paths }]) =>
    [...new Set(paths)].map((path) => ({ runId, path })),
  );
  const resuming = [...needs].flatMap(([runId, { resuming: scopes }]) =>
    [...new Set(scopes)].map((scope) => ({ runId, scope })),
  );
  const runs = new Map(items.map(({ runId, loaded }) => [runId, loaded]));
  const asked = [...needs].flatMap(([runId, ofRun]) => {
    const { owner = null, workflowInput } = runs.get(runId) ?? {};
    const lacking = workflowInput === undefined ? ofRun : { ...ofRun, workflowInput: false };
    return hasData(lacking) ? [{ runId, owner, needs: lacking }] : [];
  });
  const [data, open, inside] = await Promise.all([
    asked.length === 0 ? null : reads.loadData(asked),
    loadAttempts(reads, { ...NO_ATTEMPTS, ids: idsOf(needs), openWithin, lastWithin: resuming }),
    resuming.length === 0 ? null : reads.loadJoins({ paths: [], allOf: [], within: resuming }),
  ]);
  for (const [runId, ofRun] of inside ?? []) addJoins(states, runId, ofRun);
  for (const [runId, ofRun] of data ?? []) {
    const { workflowInput = ofRun.workflowInput } = runs.get(runId) ?? {};
    states.set(runId, { ...stateOf(runId), ...ofRun, workflowInput });
  }
  addAttempts(states, open);
  for (const [runId, ofRun] of Map.groupBy(items, (item) => item.runId)) {
    const asked = ofRun.map(({ event }) => ({ attempts: attemptsOf(event) }));
    const came = { ...NO_NEEDS, workflowInput: runs.get(runId)?.workflowInput !== undefined };
    const known = knownOf([
      ...asked,
      { needs: came },
      { joins: joins?.byRun.get(runId) ?? [], needs: needs.get(runId) },
    ]);
    states.set(runId, { ...stateOf(runId), known });
  }
  return states;
}

async function loadAttempts(
  reads: RunReads,
  query: AttemptQuery,
): Promise<ReadonlyMap<string, readonly Attempt[]>> {
  return isEmptyQuery(query) ? new Map() : reads.loadAttempts(query);
}

function initialState({ run, workflowInput = null }: LoadedRun, attempts: readonly Attempt[] = []): State {
  return {
    run,
    known: NOTHING_KNOWN,
    attempts: new Map(attempts.map((attempt) => [attempt.stepExecutionId, attempt])),
    joins: new Map(),
    children: new Map(),
    signals: new Map(),
    workflowInput,
    variables: new Map(),
    errors: new Map(),
    earlier: new Map(),
    sets: [],
    outputs: new Map(),
    visits: new Map(),
    workflows: new Map(),
    gathered: new Map(),
  };
}

function joinQueryOf(items: readonly PlannedItem[], stateOf: (runId: string) => State) {
  const paths = new Map<string, { runId: string; path: string }>();
  const allOf = new Set<string>();
  const byRun = new Map<string, 'all' | readonly string[]>();
  for (const { runId, plan, event, lacking = [] } of items) {
    const told = (plan && unlessDefect(() => joinsOf(plan, stateOf(runId), event))) ?? [];
    const joins = told === 'all' ? told : [...told, ...lacking.flatMap((needs) => needs.joins)];
    if (joins.length === 0) continue;
    const before = byRun.get(runId) ?? [];
    byRun.set(runId, joins === 'all' || before === 'all' ? 'all' : [...before, ...joins]);
    if (joins === 'all') allOf.add(runId);
    else for (const path of joins) paths.set(`${runId}\n${path}`, { runId, path });
  }
  return paths.size + allOf.size === 0 ? null : { paths: [...paths.values()], allOf: [...allOf], byRun };
}

function needsByRun(items: readonly PlannedItem[], stateOf: (runId: string) => State): Map<string, Needs> {
  const needs = new Map<string, Needs>();
  for (const { runId, plan, event, lacking = [] } of items) {
    const told = plan && unlessDefect(() => needsOf(plan, stateOf(runId), event));
    for (const more of told ? [told, ...lacking] : lacking)
      needs.set(runId, together(needs.get(runId) ?? NO_NEEDS, more));
  }
  return needs;
}

/** The decision will meet the same defect, and tells it of its one item. */
function unlessDefect<Told>(tell: () => Told): Told | undefined {
  try {
    return tell();
  } catch {
    return undefined;
  }
}

function idsOf(needs: ReadonlyMap<string, Needs>): readonly string[] {
  return [...new Set([...needs.values()].flatMap(({ attempts }) => attempts))];
}

/** Beside attempts and joins, which are loaded by themselves. */
function hasData({ openWithin: _attempts, attempts: _ids, joins: _joins, ...needs }: Needs): boolean {
  return Object.values(needs).some((need) => (typeof need === 'boolean' ? need : need.length > 0));
}

function addJoins(states: Map<string, State>, runId: string, joins: readonly Join[]): void {
  const state = states.get(runId);
  if (state === undefined) return;
  const found = joins.map((join) => [join.path, join] as const);
  states.set(runId, { ...state, joins: new Map([...state.joins, ...found]) });
}

/** What is there already stays, unless only the other has its input. */
function addAttempts(states: Map<string, State>, found: ReadonlyMap<string, readonly Attempt[]>): void {
  for (const [runId, more] of found) {
    const state = states.get(runId);
    if (state === undefined) continue;
    const attempts = new Map(state.attempts);
    for (const attempt of more) {
      const known = attempts.get(attempt.stepExecutionId);
      if (known === undefined || (known.inputData === null && attempt.inputData !== null))
        attempts.set(attempt.stepExecutionId, attempt);
    }
    states.set(runId, { ...state, attempts });
  }
}
