import { answerAnother, isWaiting } from './decide-answer.ts';
import type { RefusalCode } from './effects.ts';
import type { RetryRequested } from './event.ts';
import type { Flow } from './flow.ts';
import { endAsHeld, holdAsWorkflow } from './pause.ts';
import { type Given, lastIn, reopenAround, resumeScope } from './resume-scope.ts';
import { joinOf, scopesAround } from './scope-path.ts';
import { type Attempt, isOpenRun, latest, stepKey } from './state.ts';

/*
 * A closed run goes on: from where it ended, or from a step that it came by.
 *
 * From where it ended, the last attempt of the top is tried anew, and what it had opened goes on with it (resume-scope.ts). From a step
 * inside a join, the joins around it are opened again in the same way, and that step's scope goes on there.
 */

export function decideRetry(flow: Flow, event: RetryRequested): RefusalCode | null {
  const { draft } = flow;
  const { parentStepExecutionId: asking = null, previousParentStepExecutionId: previous = null } = event;
  const { parent, status } = draft.run;
  draft.mustKnow('lastAttempts');
  if (event.fromStep) draft.mustKnow('stepAttempts', stepKey(event.fromScope ?? '*', event.fromStep));
  const isOpen = isOpenRun(draft.run);
  if (parent !== null && asking !== null) {
    // I4: a repeated record, of this retry or one before it, opens no run that has closed again since.
    const isRepeated = parent.stepExecutionId === asking;
    const isOutdated = previous !== null && parent.stepExecutionId !== previous;
    if (isRepeated || isOutdated) return isOpen ? 'RUN_OPEN' : 'RUN_CLOSED';
    // Its cancellation may have been read before, and refused by a run that was closed still: it would run for nobody.
    if (!isWaiting(draft.parentAttempt(asking))) return 'PARENT_NOT_WAITING';
    draft.run = { ...draft.run, parent: { ...parent, stepExecutionId: asking } };
    if (isOpen || status === 'COMPLETED') return answerAnother(flow);
  }
  if (isOpen) return 'RUN_OPEN';
  const target = stepToRetry(draft.attempts.values(), event);
  // It was cancelled when a pause held its end: it comes to that.
  const comesToItsEnd = target === null && status === 'CANCELLED' && isAtEnd(flow);
  if (target === null && !comesToItsEnd && (status === 'COMPLETED' || isAtEnd(flow))) return 'RUN_COMPLETED';
  if (target === undefined || (target && !flow.plan.steps.has(target.stepId))) return 'STEP_NOT_REACHED';
  if (event.inputData !== undefined && (comesToItsEnd || !takesInput(flow, target))) return 'INPUT_NOT_TAKEN';
  reopen(flow, target !== null || event.changesVersion === true, event.requestedAt);
  const given = event.inputData === undefined ? {} : { inputData: event.inputData };
  if (comesToItsEnd) endAsHeld(flow);
  else if (target !== null) goBack(flow, target, given);
  else resumeScope(flow, '', given);
  return null;
}

/** @param mayRevisit it goes back, or its steps have another order from now on */
function reopen({ draft, plan }: Flow, mayRevisit: boolean, requestedAt: number | undefined): void {
  const { run, now } = draft;
  // A parent may have been cancelled before this was read: that is no cancellation that this undoes.
  const askedAt = Math.min(now, requestedAt ?? now);
  const timeoutAt = plan.timeoutMs === null ? null : now + plan.timeoutMs;
  draft.run = {
    ...run,
    status: 'RUNNING',
    startedAt: run.startedAt ?? now,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    // Not before a cancellation or another retry, whatever the clocks of the environments that decided those.
    retriedAt: Math.max(askedAt, run.cancellation?.at ?? askedAt, run.retriedAt ?? askedAt),
    revisits: run.revisits || mayRevisit,
    timeoutAt,
    wakeAt: timeoutAt,
  };
  holdAsWorkflow(draft);
  draft.announce(null);
}

/** Anew, from this step on, with the variables and the error that it had; the joins around it open again. */
function goBack(flow: Flow, target: Attempt, given: Given): void {
  const path = joinOf(target.scope);
  // As they were when the step was entered: what later steps have set since is none of its. Before anything is opened.
  for (const scope of scopesAround(target.scope))
    flow.draft.resetScope(scope, flow.draft.earlier.get(scope) ?? {});
  if (path !== null) reopenAround(flow, path, target.scope);
  flow.request(target.stepId, target.scope, given);
}

/** @param target null: where the run ended */
function takesInput(flow: Flow, target: Attempt | null): boolean {
  const { stepId } = target ?? lastIn(flow, '') ?? { stepId: flow.plan.startStep };
  return flow.behaviourOf(flow.stepOf(stepId)).takesInput ?? false;
}

/** Its last step completed, whatever else was written to it: by another producer, or by who cancelled it while its end was held. */
function isAtEnd(flow: Flow): boolean {
  const last = lastIn(flow, '');
  return last?.status === 'COMPLETED' && flow.stepOf(last.stepId).next === null;
}

/** The latest attempt of the step to go back to. Null: none is named; undefined: the run never came there. */
export function stepToRetry(
  attempts: Iterable<Attempt>,
  { fromStep = null, fromScope = null }: RetryRequested,
): Attempt | null | undefined {
  if (fromStep === null) return null;
  return latest(
    [...attempts].filter(
      ({ stepId, scope }) => stepId === fromStep && (fromScope === null || scope === fromScope),
    ),
  );
}
