import { joinPathOf } from './container.ts';
import type { RefusalCode } from './decision.ts';
import type { Draft } from './draft.ts';
import type { Flow } from './flow.ts';
import type { Attempt, Pauser, Run } from './state.ts';

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
 * What begins, or goes on after its end, is held as its workflow is at that moment.
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

/** It may have been written, paused or not, while that of its workflow changed. */
export function holdAsWorkflow(draft: Draft): void {
  const { heldBy, isWorkflowPaused, pausedAt } = draft.run;
  const isUntold = pausedAt !== null && heldBy === null;
  if (isUntold || isHeldBy(draft.run, 'workflow') === isWorkflowPaused) return;
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
  const { now, run } = draft;
  const isDue = run.status === 'PENDING' || (run.timeoutAt !== null && run.timeoutAt <= now);
  draft.run = { ...run, wakeAt: isDue ? now : (run.wakeAt ?? run.timeoutAt) };
  for (const attempt of draft.openAttempts()) {
    const isHeld = attempt.status === 'PENDING' ? attempt.dueAt === null : isOver(flow, attempt);
    const next = nextTimeOf(attempt);
    if (isHeld) flow.ask(attempt);
    // By the timekeeper's clock it may have been due, and by this one not yet.
    else if (next !== null && (next <= now || attempt.wakeAt === null))
      draft.put({ ...attempt, wakeAt: Math.max(next, now) });
  }
}

function isOver(flow: Flow, attempt: Attempt): boolean {
  const { opensScopes = false } = flow.behaviourOf(flow.stepOf(attempt.stepId));
  return opensScopes && flow.draft.joins.get(joinPathOf(attempt))?.isOver === true;
}

function nextTimeOf({ dueAt, deadlineAt, heartbeatDueAt }: Attempt): number | null {
  const times = [dueAt, deadlineAt, heartbeatDueAt].filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}
