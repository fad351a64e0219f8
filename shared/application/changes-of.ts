import type { Effect } from '../engine/decision.ts';
import type { Plan } from '../engine/plan.ts';
import { type Attempt, isOpenAttempt, type State } from '../engine/state.ts';
import { stepOf } from '../engine/step-attempt.ts';
import type { AuditRecord } from './audit.ts';
import type { AttemptOpened, Changes, LockedRun } from './ports.ts';

/** A run with all the decisions that a batch made of it. */
export interface DecidedRun {
  readonly locked: LockedRun;
  readonly plan: Plan;
  readonly versionId: string | null;
  /** As it was loaded. */
  readonly loaded: State;
  /** As the last decision leaves it. */
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** What is to be written: each row once, however many decisions touched it. */
export function changesOf(decided: readonly DecidedRun[], audited: readonly AuditRecord[]): Changes {
  const opened: AttemptOpened[] = [];
  const started: Attempt[] = [];
  const closed: Attempt[] = [];
  for (const { locked, plan, loaded, state } of decided) {
    for (const attempt of state.attempts.values()) {
      const before = loaded.attempts.get(attempt.stepExecutionId);
      if (before === attempt) continue;
      if (before === undefined) {
        const { name, agentName, label } = stepOf(plan, attempt.stepId);
        opened.push({ runId: locked.run.runId, stepName: name, agentName, stepType: label, attempt });
      } else if (isOpenAttempt(attempt)) started.push(attempt);
      else closed.push(attempt);
    }
  }
  return {
    advanced: decided
      .filter(isAdvance)
      .map(({ state: { run } }) => ({ runId: run.runId, sequence: run.sequence })),
    changed: decided
      .filter((run) => !isAdvance(run))
      .map(({ state, versionId }) => ({ run: state.run, versionId })),
    opened,
    started,
    closed,
    audited,
  };
}

/** Most decisions leave the run as it was but for its sequence; the cheaper statement is for them. */
function isAdvance({ locked, loaded, state, versionId }: DecidedRun): boolean {
  return loaded.run.status === 'RUNNING' && state.run.status === 'RUNNING' && locked.versionId === versionId;
}
