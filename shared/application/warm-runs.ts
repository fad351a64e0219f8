import { LRUCache } from 'lru-cache';
import { goingOn } from '../engine/container.ts';
import type { Json } from '../engine/json.ts';
import type { Plan } from '../engine/plan.ts';
import type { Known, Readable } from '../engine/readable.ts';
import { joinOf } from '../engine/scope-path.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type Join, type State } from '../engine/state.ts';
import type { BatchItem } from './batch.ts';
import type { DecidedRun } from './changes-of.ts';
import type { LoadedRun } from './ports/run-store.ts';

/** A run as the environment saved it last. */
export interface WarmRun {
  readonly stored: LoadedRun;
  readonly state: State;
  readonly plan: Plan;
}

/** A state that holds more is not kept: what is copied at a decision must not grow with the run. */
const MAX_ROWS = 16;
/** Of JSON, roughly, in one state. */
const MAX_STATE_BYTES = 64 * 1_024;
const MAX_RUNS = 2_000;
/** In all, of which an environment has 512 MB or less. */
const MAX_BYTES = 16 * 1_024 * 1_024;
/** What a run takes beside its data. */
const BYTES_OF_RUN = 1_024;

/**
 * The runs that an execution environment saved last, so that their next record costs no reading. Anybody may have decided about them
 * since: what is decided here is saved only where a run's sequence is still the one that it was saved with, and refuses nobody
 * (decide-runs.ts). What changes without that, signs of life and the clocks of agents, only what is woken looks at, which is read.
 */
export class WarmRuns {
  readonly #runs = new LRUCache<string, WarmRun>({ max: MAX_RUNS, maxSize: MAX_BYTES });

  /** Those of which all items may be decided by what is kept. */
  of(items: readonly BatchItem[]): Map<string, WarmRun> {
    const found = new Map<string, WarmRun>();
    if (this.#runs.size === 0) return found;
    const cold = new Set<string>();
    for (const item of items) {
      const run = this.#runs.get(item.runId);
      if (run === undefined) continue;
      if (mayBeDecided(item)) found.set(item.runId, run);
      else cold.add(item.runId);
    }
    for (const runId of cold) found.delete(runId);
    return found;
  }

  /** What its last decision leaves, once it is saved. */
  keep({ stored, plan, versionId, version, loaded, state }: DecidedRun): void {
    const { runId } = state.run;
    this.#runs.delete(runId);
    if (!isOpenRun(state.run)) return;
    const kept = keptOf(loaded, state);
    if (kept === null) return;
    const { workflowId } = version ?? stored;
    const run = {
      stored: { run: kept.state.run, versionId, owner: stored.owner, workflowId },
      state: kept.state,
      plan,
    };
    this.#runs.set(runId, run, { size: BYTES_OF_RUN + kept.bytes });
  }

  has(runId: string): boolean {
    return this.#runs.has(runId);
  }

  forget(runId: string): void {
    this.#runs.delete(runId);
  }
}

function mayBeDecided({ event, audit, version, onlyOfNobody, inlinePlan }: BatchItem): boolean {
  const isPlain = audit === undefined && version === undefined && !onlyOfNobody && inlinePlan === undefined;
  return isPlain && (event.type === 'agent_answered' || event.type === 'step_requested');
}

/**
 * Null: it is too much, or it is in branches or items of which others are not known: their next records would find nothing.
 * `bytes` are its data's, roughly. Of attempts and children a decision loads only the columns that it needs: attempts are kept that are
 * whole, and children are not.
 */
function keptOf(loaded: State, state: State): { readonly state: State; readonly bytes: number } | null {
  const wasKept = loaded.known instanceof StillKnown;
  const open = new Map<string, Attempt>();
  for (const [id, attempt] of state.attempts) {
    const isWhole = wasKept || attempt.inputData !== null || !loaded.attempts.has(id);
    if (isOpenAttempt(attempt) && isWhole) open.set(id, attempt);
  }
  const joins = openJoins(state, open);
  const { variables, errors, workflowInput } = state;
  if (joins === null || Math.max(open.size, variables.size, errors.size) > MAX_ROWS) return null;
  // Those of a long sequence are read by nobody, or once.
  const outputs = state.outputs.size > MAX_ROWS ? new Map<string, Json>() : state.outputs;
  const visits = state.visits.size > MAX_ROWS ? new Map<string, number>() : state.visits;
  const values = [
    workflowInput,
    ...[...open.values()].map(({ inputData }) => inputData),
    ...[variables, errors, outputs].flatMap((each) => [...each.values()]),
  ];
  const bytes = roughBytesOf(values);
  if (bytes > MAX_STATE_BYTES) return null;
  const kept: State = {
    ...state,
    run: { ...state.run, outputData: null, isWorkflowPaused: null },
    known: StillKnown.of(state.known, [
      ...(outputs === state.outputs ? (['outputs'] as const) : []),
      ...(visits === state.visits ? (['visits'] as const) : []),
    ]),
    attempts: open,
    joins,
    children: new Map(),
    signals: new Map(),
    earlier: new Map(),
    sets: [],
    outputs,
    visits,
    workflows: new Map(),
    gathered: new Map(),
  };
  return { state: kept, bytes };
}

/** Those of kept containers; null: some of their branches and items that are under way are not kept. */
function openJoins(state: State, open: ReadonlyMap<string, Attempt>): ReadonlyMap<string, Join> | null {
  const joins = new Map<string, Join>();
  for (const [path, join] of state.joins) if (open.has(join.stepExecutionId)) joins.set(path, join);
  const openIn = new Map<string, number>();
  for (const [id, { scope }] of state.attempts) {
    const path = joinOf(scope);
    if (path === null) continue;
    const container = state.attempts.get(state.joins.get(path)?.stepExecutionId ?? '');
    const isOver = container !== undefined && !isOpenAttempt(container);
    if (!joins.has(path) && !isOver) return null;
    if (open.has(id)) openIn.set(path, (openIn.get(path) ?? 0) + 1);
  }
  for (const [path, join] of joins) if (goingOn(join) > (openIn.get(path) ?? 0)) return null;
  return joins;
}

/** What was asked for once, and is written down whenever a decision changes it. */
class StillKnown implements Known {
  readonly #known: Known;
  readonly #what: ReadonlySet<Readable>;

  constructor(known: Known, what: ReadonlySet<Readable>) {
    this.#known = known;
    this.#what = what;
  }

  static of(known: Known, more: readonly Readable[]): Known {
    const what = new Set<Readable>(['workflowInput', 'variables', 'errors', ...more]);
    if (!(known instanceof StillKnown)) return new StillKnown(known, what);
    // What was forgotten once stays so.
    return new StillKnown(known.#known, new Set([...what].filter((each) => known.#what.has(each))));
  }

  has(what: Readable, key: string): boolean {
    return this.#what.has(what) && this.#known.has(what, key);
  }
}

/** Counts no further than it matters. */
function roughBytesOf(value: Json): number {
  let bytes = 0;
  const left: Json[] = [value];
  while (left.length > 0 && bytes <= MAX_STATE_BYTES) {
    const next = left.pop() as Json;
    if (typeof next === 'string') bytes += next.length;
    else if (typeof next !== 'object' || next === null) bytes += 8;
    else
      for (const [key, child] of Object.entries(next)) {
        bytes += key.length + 4;
        left.push(child as Json);
      }
  }
  return bytes;
}
