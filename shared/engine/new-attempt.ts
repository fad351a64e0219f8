import type { Draft } from './draft.ts';
import type { Plan, PlanStep } from './plan.ts';
import { scopesAround } from './scope-path.ts';
import type { Attempt } from './state.ts';
import { itemScope, mayComeAgain } from './view.ts';

/**
 * An attempt to be put into the draft; the run counts its step.
 * @param isRepeat of a step that was visited for certain, though it is in no loop
 */
export function newAttempt(
  { plan, draft }: { readonly plan: Plan; readonly draft: Draft },
  step: PlanStep,
  scope: string,
  given: Partial<Attempt>,
  isRepeat = false,
): Attempt {
  if (given.visit === undefined && itemScope(plan, step, scopesAround(scope)) === null)
    draft.run = { ...draft.run, stepsStarted: draft.run.stepsStarted + 1 };
  return {
    stepExecutionId: draft.draws.id(),
    stepId: step.id,
    scope,
    visit: given.visit ?? draft.countVisit(scope, step.id, !isRepeat && !mayComeAgain(step, draft.run)),
    attempt: 1,
    policyAttempt: 1,
    policyRetries: null,
    status: 'PENDING',
    inputData: null,
    outputData: null,
    error: null,
    logs: null,
    createdAt: draft.nextCreatedAt(),
    startedAt: null,
    completedAt: null,
    timeoutMs: step.timeoutMs,
    dueAt: null,
    deadlineAt: null,
    acceptedAt: null,
    heartbeatMs: null,
    heartbeatDueAt: null,
    republishedAt: null,
    signalName: null,
    childRunId: null,
    wakeAt: null,
    ...given,
  };
}

/** As it is once it has ended. */
export function closedAttempt(
  draft: Draft,
  attempt: Attempt,
  status: 'COMPLETED' | 'FAILED' | 'CANCELLED',
  logs: readonly string[] | null,
): Attempt {
  return { ...attempt, status, logs, completedAt: draft.now, dueAt: null, wakeAt: null };
}
