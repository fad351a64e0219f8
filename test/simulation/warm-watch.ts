import type { BatchItem } from '../../shared/application/batch.ts';
import { type WarmRun, WarmRuns } from '../../shared/application/warm-runs.ts';
import { isJsonObject } from '../../shared/engine/json.ts';
import { type Attempt, isOpenAttempt, type Run, stepKey } from '../../shared/engine/state.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import { keyOf, type RunRow } from '../support/memory-tables.ts';
import { hold } from './commit.ts';

export type TakeWarm = (items: readonly BatchItem[]) => Map<string, WarmRun>;

export interface WarmWorld {
  readonly store: MemoryStore;
  found: Error | null;
  count(what: string): void;
}

/**
 * The states that an environment keeps, each looked at where it is taken: whatever has its run's sequence is what is stored, and what
 * it takes for none is not there.
 */
export class WatchedWarmRuns extends WarmRuns {
  readonly #world: WarmWorld;
  readonly #isWatched: boolean;
  readonly #fault: (take: TakeWarm) => TakeWarm;

  /**
   * @param isWatched false where the store lies to the environment, so that they differ
   * @param fault what it does wrong, to see whether that is found
   */
  constructor(world: WarmWorld, isWatched: boolean, fault: (take: TakeWarm) => TakeWarm = (take) => take) {
    super();
    this.#world = world;
    this.#isWatched = isWatched;
    this.#fault = fault;
  }

  override of(items: readonly BatchItem[]): Map<string, WarmRun> {
    const taken = this.#fault((asked) => super.of(asked))(items);
    for (const warm of taken.values()) {
      this.#world.count('warm state');
      if (!this.#isWatched) continue;
      try {
        const isWoken = items.some(
          ({ runId, event }) => runId === warm.state.run.runId && event.type === 'woken',
        );
        const isStale = !isAsStored(warm, this.#world.store, isWoken);
        if (isStale) this.#world.count('warm state that is stale');
      } catch (error) {
        this.#world.found ??= error as Error;
      }
    }
    return taken;
  }
}

/**
 * @param isWoken its times are looked at, which change without a decision
 * @returns whether its run has not gone on since; then it must be what is stored
 */
function isAsStored(
  { stored: { run, ...beside }, state }: WarmRun,
  store: MemoryStore,
  isWoken: boolean,
): boolean {
  const { runId } = run;
  const row = store.runs.get(runId) as RunRow;
  if (row.run.sequence !== run.sequence) return false;
  const { known } = state;
  const mustBe = (what: string, is: unknown, stored: unknown) =>
    hold(
      canonical(is) === canonical(stored),
      `Warm, ${runId} has ${what} ${canonical(is)}, and ${canonical(stored)} is stored`,
    );
  mustBe('the run', lasting(run), lasting(row.run));
  mustBe('the run', lasting(state.run), lasting(row.run));
  const { owner, versionId, workflowId } = row;
  mustBe('beside it', beside, { owner, versionId, workflowId });

  const ofRun = store.attemptsOf(runId);
  for (const attempt of state.attempts.values()) {
    const { attempt: stored } = store.attempts.get(attempt.stepExecutionId) ?? {};
    mustBe('the attempt', lastingOf(attempt, isWoken), lastingOf(stored, isWoken));
  }
  for (const { stepExecutionId: id, ...attempt } of ofRun.filter(isOpenAttempt)) {
    const isTold = known.has('attempts', id) || known.has('openAttempts', '');
    hold(!isTold || state.attempts.has(id), `Warm, ${runId} knows nothing of ${id}, its ${attempt.stepId}`);
  }
  for (const key of new Set(ofRun.map(({ scope, stepId }) => stepKey(scope, stepId)))) {
    const visits = ofRun.filter(({ scope, stepId }) => stepKey(scope, stepId) === key);
    const most = Math.max(...visits.map(({ visit }) => visit));
    if (known.has('visits', key) || state.visits.has(key)) mustBe('visits', state.visits.get(key) ?? 0, most);
    const last = visits
      .filter(({ status }) => status === 'COMPLETED')
      .sort((a, b) => b.visit - a.visit || b.attempt - a.attempt)[0];
    if (known.has('outputs', key) || state.outputs.has(key))
      mustBe('outputs', state.outputs.get(key) ?? null, last?.outputData ?? null);
  }
  for (const scope of new Set(['', ...ofRun.map((attempt) => attempt.scope)])) {
    const data = store.data.get(keyOf(runId, scope));
    const given = scope === '' ? (row.variables ?? row.inputData) : null;
    if (known.has('variables', scope) || state.variables.has(scope))
      mustBe('variables', state.variables.get(scope) ?? null, data?.variables ?? given);
    if (known.has('errors', scope) || state.errors.has(scope))
      mustBe('errors', state.errors.get(scope) ?? null, data?.error ?? null);
  }
  if (known.has('workflowInput', '')) mustBe('input', state.workflowInput, row.inputData ?? row.variables);
  for (const { runId: of, join } of store.joins.values()) {
    const kept = state.joins.get(join.path);
    if (of !== runId) continue;
    if (kept !== undefined) mustBe('the join', kept, join);
    else hold(!known.has('joins', join.path), `Warm, ${runId} has no ${join.path}`);
  }
  for (const { runId: of, signal } of store.signals.values())
    if (of === runId)
      hold(
        !known.has('signals', signal.id) && !known.has('untakenSignals', signal.name),
        `Warm, ${runId} has no ${signal.name}`,
      );
  return true;
}

/** What no decision writes, and what is pushed on without one, apart. */
function lasting({ wakeAt: _, outputData: __, isWorkflowPaused: ___, ...run }: Run) {
  return run;
}

function lastingOf(attempt: Attempt | undefined, isWoken: boolean) {
  if (attempt === undefined || isWoken) return attempt ?? null;
  const {
    wakeAt: _,
    deadlineAt: __,
    acceptedAt: ___,
    heartbeatDueAt: ____,
    republishedAt: _____,
    ...lasting
  } = attempt;
  return lasting;
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each) =>
    isJsonObject(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  );
}
