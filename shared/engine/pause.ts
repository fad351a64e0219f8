import { joinPathOf } from './container.ts';
import type { Draft } from './draft.ts';
import type { RefusalCode } from './effects.ts';
import type { Flow } from './flow.ts';
import { completeRun, failAsHeld } from './run-end.ts';
import { type Attempt, isOpenAttempt, latest, type Pauser, type Run, stepKey } from './state.ts';

/*
 * A pause stands beside the status: what is under way settles, and no step starts. Its own pause may hold a run, and its
 * workflow's; it goes on when neither does.
 *
 *               held by   neither          run              workflow         both
 *   paused,  run          run              RUN_PAUSED       both             RUN_PAUSED
 *   paused,  workflow     workflow         both             RUN_PAUSED       RUN_PAUSED
 *   resumed, run          RUN_NOT_PAUSED   goes on          RUN_NOT_PAUSED   workflow
 *   resumed, workflow     RUN_NOT_PAUSED   RUN_NOT_PAUSED   goes on          run
 *
 * What begins, or goes on after its end, is held as its workflow is at that moment; and so is what is looked at for it: who paused or
 * resumed the workflow may not have come to all of its runs.
 */

export function pause({ draft }: Flow, by: Pauser): RefusalCode | null {
  if (isHeldBy(draft.run, by)) return 'RUN_PAUSED';
  hold(draft, by);
  draft.announce(null);
  return null;
}

export function resume(flow: Flow, by: Pauser): RefusalCode | null {
  const { draft } = flow;
  if (!isHeldBy(draft.run, by)) return 'RUN_NOT_PAUSED';
  letGo(draft, by);
  draft.announce(null);
  if (draft.run.pausedAt === null) goOn(flow);
  return null;
}

/** A run that has begun, and may not be held as its workflow is. @returns whether it was not */
export function followWorkflow(flow: Flow): boolean {
  const { draft } = flow;
  const { run } = draft;
  holdAsWorkflow(draft);
  if (draft.run === run) return false;
  draft.announce(null);
  if (draft.run.pausedAt === null) goOn(flow);
  return true;
}

/** It may have been written, paused or not, while that of its workflow changed. */
export function holdAsWorkflow(draft: Draft): void {
  const { heldBy, isWorkflowPaused, pausedAt } = draft.run;
  const isUntold = pausedAt !== null && heldBy === null;
  if (isWorkflowPaused === null || isUntold || isHeldBy(draft.run, 'workflow') === isWorkflowPaused) return;
  if (isWorkflowPaused) hold(draft, 'workflow');
  else letGo(draft, 'workflow');
}

function isHeldBy({ heldBy, pausedAt }: Run, by: Pauser): boolean {
  return pausedAt !== null && (heldBy === null || heldBy === 'both' || heldBy === by);
}

function hold(draft: Draft, by: Pauser): void {
  const { pausedAt } = draft.run;
  draft.run = { ...draft.run, pausedAt: pausedAt ?? draft.now, heldBy: pausedAt === null ? by : 'both' };
}

function letGo(draft: Draft, by: Pauser): void {
  const { run } = draft;
  const other = by === 'run' ? 'workflow' : 'run';
  draft.run = run.heldBy === 'both' ? { ...run, heldBy: other } : { ...run, pausedAt: null, heldBy: null };
}

/** What is held is asked for; what fell due meanwhile, of which the timekeeper has let go, is due now. */
function goOn(flow: Flow): void {
  const { draft } = flow;
  if (endAsHeld(flow)) return;
  const { now, run } = draft;
  const isDue = run.status === 'PENDING' || (run.timeoutAt !== null && run.timeoutAt <= now);
  draft.run = { ...run, wakeAt: isDue ? now : (run.wakeAt ?? run.timeoutAt) };
  for (const attempt of draft.openAttempts()) {
    const isHeld = attempt.status === 'PENDING' ? attempt.dueAt === null : isAskedFor(flow, attempt);
    const next = nextTimeOf(attempt);
    if (isHeld) flow.ask(attempt);
    // By the timekeeper's clock it may have been due, and by this one not yet.
    else if (next !== null && (next <= now || attempt.wakeAt === null))
      draft.put({ ...attempt, wakeAt: Math.max(next, now) });
  }
}

/** The last step has settled: the run ends, unless it is held. @returns whether it has */
export function endAsHeld({ draft, plan }: Flow): boolean {
  if (draft.run.pausedAt !== null) return false;
  draft.mustKnow('lastAtTop');
  const last = lastOfEnded(draft.run, draft.attempts.values());
  if (last === null) return false;
  if (last.status === 'FAILED') {
    if (draft.run.error === null) return false;
    failAsHeld(draft);
    return true;
  }
  // Nothing leads on from it: another producer may have written less than what a run does.
  const step = plan.steps.get(last.stepId);
  if (step === undefined || step.next !== null || step.type === 'choice') return false;
  completeRun(draft, draft.outputs.get(stepKey('', last.stepId)) ?? null);
  return true;
}

/** The last attempt of the top, where it has settled and none is open. */
export function lastOfEnded({ status }: Run, attempts: Iterable<Attempt>): Attempt | null {
  const atTop = [...attempts].filter(({ scope }) => scope === '');
  if (status !== 'RUNNING' || atTop.some(isOpenAttempt)) return null;
  const last = latest(atTop);
  return last?.status === 'COMPLETED' || last?.status === 'FAILED' ? last : null;
}

function isAskedFor(flow: Flow, attempt: Attempt): boolean {
  const { opensScopes = false } = flow.behaviourOf(flow.stepOf(attempt.stepId));
  if (!opensScopes) return false;
  const join = flow.draft.joins.get(joinPathOf(attempt));
  // Or a child that waits since a retry may go on.
  return join !== undefined && (join.isOver || join.waiting > 0);
}

function nextTimeOf({ dueAt, deadlineAt, heartbeatDueAt }: Attempt): number | null {
  const times = [dueAt, deadlineAt, heartbeatDueAt].filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}
