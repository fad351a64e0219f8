import type { Effect } from '../engine/effects.ts';
import type { Plan } from '../engine/plan.ts';
import { isOpenAttempt, type Run, type State } from '../engine/state.ts';
import { stepOf } from '../engine/view.ts';
import type { AuditRecord } from './audit.ts';
import type { VersionChange } from './batch.ts';
import type {
  AttemptChange,
  AttemptOpened,
  Changes,
  ChildChange,
  JoinChange,
  LoadedRun,
  RunStarted,
  ScopeData,
  SignalChange,
} from './ports/run-store.ts';

/** A run with all the decisions that a batch made of it. */
export interface DecidedRun {
  readonly stored: LoadedRun;
  readonly plan: Plan;
  readonly versionId: string | null;
  /** Where a retry goes on with another version. */
  readonly version?: VersionChange | undefined;
  /** As it was loaded. */
  readonly loaded: State;
  /** As the last decision leaves it. */
  readonly state: State;
  readonly effects: readonly Effect[];
  /** By what an attempt's times are. */
  readonly isByTimes: boolean;
}

/**
 * What is to be written: each row once, however many decisions touched it. What is the same object, did not change: a run that only
 * answers its parent again.
 */
export function changesOf(
  decided: readonly DecidedRun[],
  audited: readonly AuditRecord[],
  now: number,
): Changes {
  const touched = decided.filter(({ loaded, state }) => state.run !== loaded.run);
  return {
    advanced: touched.filter(isAdvance).map(({ loaded, state: { run } }) => ({
      runId: run.runId,
      was: loaded.run.sequence,
      sequence: run.sequence,
      stepsStarted: run.stepsStarted,
    })),
    changed: touched
      .filter((run) => !isAdvance(run))
      .map(({ loaded, state, versionId, version }) => ({
        run: state.run,
        was: loaded.run.sequence,
        statusWas: loaded.run.status,
        workflowWasPaused: loaded.run.isWorkflowPaused,
        versionId,
        version,
      })),
    ...attemptChanges(decided),
    joins: decided.flatMap(joinChanges),
    children: decided.flatMap(childChanges),
    data: decided.flatMap(scopeData),
    ...signalChanges(decided),
    runsStarted: decided.flatMap((run) => runsStarted(run, now)),
    audited,
  };
}

/** Most decisions leave the run as it was but for its numbers; the cheaper statement is for them. */
function isAdvance({ stored, loaded, state, versionId }: DecidedRun): boolean {
  return state.run.status === 'RUNNING' && stored.versionId === versionId && isSameRun(loaded.run, state.run);
}

function isSameRun(before: Run, after: Run): boolean {
  const { sequence: _sequence, stepsStarted: _stepsStarted, ...compared } = after;
  return Object.entries(compared).every(([field, value]) => before[field as keyof Run] === value);
}

function attemptChanges(decided: readonly DecidedRun[]): Pick<Changes, 'opened' | 'continued' | 'closed'> {
  const opened: AttemptOpened[] = [];
  const continued: AttemptChange[] = [];
  const closed: AttemptChange[] = [];
  for (const { stored, plan, loaded, state, isByTimes } of decided) {
    for (const attempt of state.attempts.values()) {
      const before = loaded.attempts.get(attempt.stepExecutionId);
      if (before === attempt) continue;
      if (before === undefined) {
        const step = stepOf(plan, attempt.stepId);
        opened.push({
          runId: stored.run.runId,
          stepName: step.name,
          agentName: 'agentName' in step ? step.agentName : '',
          stepType: step.label,
          attempt,
        });
        continue;
      }
      // An input is made once: what is there is not sent again.
      const { deadlineAt, heartbeatDueAt } = before;
      const change = {
        ...attempt,
        runId: stored.run.runId,
        inputData: before.inputData === null ? attempt.inputData : null,
        ...(isByTimes && { timesWere: { deadlineAt, heartbeatDueAt } }),
      };
      if (isOpenAttempt(attempt)) continued.push(change);
      else closed.push(change);
    }
  }
  return { opened, continued, closed };
}

function joinChanges({ stored, loaded, state }: DecidedRun): JoinChange[] {
  return changed(loaded.joins, state.joins).map(([path, join]) => ({
    runId: stored.run.runId,
    join,
    before: loaded.joins.get(path) ?? null,
  }));
}

function childChanges({ stored, loaded, state }: DecidedRun): ChildChange[] {
  return changed(loaded.children, state.children).map(([, child]) => ({ runId: stored.run.runId, child }));
}

function scopeData({ stored, state }: DecidedRun): ScopeData[] {
  return state.sets.map((set) => ({ runId: stored.run.runId, ...set }));
}

function signalChanges(decided: readonly DecidedRun[]): Pick<Changes, 'signalsKept' | 'signalsTaken'> {
  const signalsKept: SignalChange[] = [];
  const signalsTaken: SignalChange[] = [];
  for (const { stored, loaded, state } of decided) {
    for (const [id, signal] of changed(loaded.signals, state.signals))
      (loaded.signals.has(id) ? signalsTaken : signalsKept).push({ runId: stored.run.runId, signal });
  }
  return { signalsKept, signalsTaken };
}

function runsStarted({ stored, plan, effects }: DecidedRun, now: number): RunStarted[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'start_child') return [];
    const { type: _type, ...started } = effect;
    const wakeAt = now + plan.settings.pickUpMs;
    return [{ ...started, parentRunId: stored.run.runId, createdAt: now, wakeAt }];
  });
}

function changed<Value>(
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
): [string, Value][] {
  if (before === after) return [];
  return [...after].filter(([key, value]) => before.get(key) !== value);
}
