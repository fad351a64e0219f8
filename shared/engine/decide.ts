import type { Decision, RefusalCode } from './decision.ts';
import { Draft, type Draws } from './draft.ts';
import type { AgentAnswered, EngineEvent } from './event.ts';
import type { Plan, Reads } from './plan.ts';
import { cancelRun, failRun } from './run-end.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type Run, type State } from './state.ts';
import {
  cancelAttempt,
  completeAttempt,
  enterStep,
  failAttempt,
  republishTask,
  requestStep,
  startAttempt,
  stepOf,
} from './step-attempt.ts';

/*
 * The engine: what one event means for one run.
 *
 *                        PENDING run          RUNNING run             closed run
 *   execution_requested  start                ALREADY_STARTED         RUN_CLOSED
 *   plan_refused         fail                 ALREADY_STARTED         RUN_CLOSED
 *   agent_answered       (no attempts)        settle, go on           RUN_CLOSED
 *   step_requested       (no attempts)        start the attempt       RUN_CLOSED
 *   woken, run           start                NOT_DUE                 RUN_CLOSED
 *   woken, attempt       (no attempts)        start | republish | TIMEOUT   RUN_CLOSED
 *   cancellation_requested  cancel            cancel | CANCELLATION_OUTDATED  RUN_CLOSED
 *   retry_requested      RUN_OPEN             RUN_OPEN                open a new attempt | RUN_COMPLETED
 *
 * What holds whatever comes, however often and in whatever order:
 *   I1  An acknowledged run reaches a terminal status, once what it waits for has come.
 *   I2  A step attempt is completed at most once.
 *   I3  No step starts before what it reads is committed.
 *   I4  A terminal run never changes, other than by an explicit retry, which opens a new attempt.
 *   I5  A message is published if its cause is committed, at least once, and never otherwise.
 *   I6  With agents that answer the same, the outcome equals that of the fault-free run.
 *   I7  Every open run that can move by itself has a row with `wake_at`, PENDING runs included.
 */

/**
 * Decides what `event` means. Pure: time, ids and chance are arguments; `state` holds what `needsOf` names.
 * @param now epoch milliseconds
 */
export function decide(plan: Plan, state: State, event: EngineEvent, now: number, draws: Draws): Decision {
  if (event.type === 'retry_requested') return decideRetry(plan, state, now, draws);
  if (!isOpenRun(state.run)) return refuse('RUN_CLOSED'); // I4
  const draft = new Draft(state, now, draws);
  const refusal = apply(plan, draft, event);
  return refusal === null ? { ok: true, ...draft.finish() } : refuse(refusal);
}

/** What `decide` will read of the run's data for this event; the attempts that the event is about are in `state` already. */
export function needsOf(plan: Plan, state: State, event: EngineEvent): Reads {
  const entered = stepEnteredBy(plan, state, event);
  if (entered === null) return NOTHING;
  const { reads } = stepOf(plan, entered).input;
  const settled = event.type === 'agent_answered' && state.attempts.get(event.stepExecutionId)?.stepId;
  // The output that the event itself brings need not be loaded.
  return settled ? { ...reads, steps: reads.steps.filter((stepId) => stepId !== settled) } : reads;
}

const NOTHING: Reads = { workflowInput: false, variables: false, steps: [] };

function stepEnteredBy(plan: Plan, state: State, event: EngineEvent): string | null {
  switch (event.type) {
    case 'execution_requested':
      return plan.startStep;
    case 'woken':
      return event.stepExecutionId === null ? plan.startStep : null;
    case 'agent_answered': {
      const attempt = state.attempts.get(event.stepExecutionId);
      if (attempt === undefined || event.outcome.status === 'failed') return null;
      return stepOf(plan, attempt.stepId).next;
    }
    case 'retry_requested':
      return retriedStep(plan, lastAttempt(state));
    default:
      return null;
  }
}

function apply(
  plan: Plan,
  draft: Draft,
  event: Exclude<EngineEvent, { type: 'retry_requested' }>,
): RefusalCode | null {
  switch (event.type) {
    case 'execution_requested':
      return start(plan, draft, 'ALREADY_STARTED');
    case 'plan_refused':
      if (draft.run.status !== 'PENDING') return 'ALREADY_STARTED';
      failRun(draft, null, { code: 'INVALID_PLAN', message: event.message });
      return null;
    case 'agent_answered':
      return settle(plan, draft, event);
    case 'step_requested':
      return withAttempt(draft, event.stepExecutionId, (attempt) => {
        if (attempt.status !== 'PENDING') return 'ATTEMPT_STARTED';
        // Its backoff is the timekeeper's to end.
        if (attempt.dueAt !== null) return 'NOT_DUE';
        startAttempt(plan, draft, attempt);
        return null;
      });
    case 'woken':
      return wake(plan, draft, event.stepExecutionId, event.at);
    case 'cancellation_requested':
      if (isOutdated(draft.run, event.requestedAt)) return 'CANCELLATION_OUTDATED';
      for (const attempt of draft.attempts.values())
        if (isOpenAttempt(attempt)) cancelAttempt(draft, attempt);
      cancelRun(draft, event.by, event.reason);
      if (!event.announced) {
        draft.effects.push({ type: 'announce_cancellation', by: event.by, reason: event.reason });
      }
      return null;
  }
}

/** I4: the record of a cancellation that a retry has undone must not undo the retry. */
function isOutdated({ retriedAt }: Run, requestedAt: number | undefined): boolean {
  return retriedAt !== null && requestedAt !== undefined && requestedAt <= retriedAt;
}

function start(plan: Plan, draft: Draft, otherwise: RefusalCode): RefusalCode | null {
  if (draft.run.status !== 'PENDING') return otherwise;
  draft.run = { ...draft.run, status: 'RUNNING', startedAt: draft.now, error: null, wakeAt: null };
  draft.announce(null);
  enterStep(plan, draft, plan.startStep);
  return null;
}

function settle(plan: Plan, draft: Draft, event: AgentAnswered): RefusalCode | null {
  return withAttempt(draft, event.stepExecutionId, (attempt) => {
    if (event.attempt !== null && event.attempt !== attempt.attempt) return 'UNKNOWN_ATTEMPT';
    if (attempt.status === 'PENDING') return 'ATTEMPT_NOT_STARTED';
    const { outcome, logs } = event;
    if (outcome.status === 'completed') completeAttempt(plan, draft, attempt, outcome.output, logs);
    else failAttempt(plan, draft, attempt, outcome.error, logs);
    return null;
  });
}

function wake(plan: Plan, draft: Draft, stepExecutionId: string | null, at: number): RefusalCode | null {
  if (stepExecutionId === null) return start(plan, draft, 'NOT_DUE');
  return withAttempt(draft, stepExecutionId, (attempt) => {
    if (attempt.status === 'PENDING') {
      if (attempt.dueAt !== null && attempt.dueAt > at) return 'NOT_DUE';
      startAttempt(plan, draft, attempt);
      return null;
    }
    const due = attempt.deadlineAt;
    if (due === null || due > at) return 'NOT_DUE';
    if (attempt.acceptedAt === null && attempt.republishedAt === null) {
      republishTask(plan, draft, attempt);
    } else {
      const what =
        attempt.acceptedAt === null ? 'No answer came' : 'The agent accepted the task and did not call back';
      const message = `${what} by ${new Date(due).toISOString()}`;
      failAttempt(plan, draft, attempt, { code: 'TIMEOUT', message, retryable: true }, null);
    }
    return null;
  });
}

/** I2: what a settled attempt is told is refused. */
function withAttempt(
  draft: Draft,
  stepExecutionId: string,
  act: (attempt: Attempt) => RefusalCode | null,
): RefusalCode | null {
  const attempt = draft.attempts.get(stepExecutionId);
  if (attempt === undefined) return 'UNKNOWN_ATTEMPT';
  return isOpenAttempt(attempt) ? act(attempt) : 'ATTEMPT_CLOSED';
}

function decideRetry(plan: Plan, state: State, now: number, draws: Draws): Decision {
  if (isOpenRun(state.run)) return refuse('RUN_OPEN');
  const last = lastAttempt(state);
  const stepId = retriedStep(plan, last);
  if (state.run.status === 'COMPLETED' || stepId === null) return refuse('RUN_COMPLETED');
  const draft = new Draft(state, now, draws);
  draft.run = {
    ...state.run,
    status: 'RUNNING',
    startedAt: state.run.startedAt ?? now,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    // Not before the cancellation, whatever the clock of the environment that decided that.
    retriedAt: Math.max(now, state.run.cancellation?.at ?? now),
  };
  draft.announce(null);
  requestStep(plan, draft, stepId, last?.stepId === stepId ? last : null);
  return { ok: true, ...draft.finish() };
}

/** The step to go on with: the one that did not complete, or the one after the last that did. */
function retriedStep(plan: Plan, last: Attempt | null): string | null {
  if (last === null) return plan.startStep;
  return last.status === 'COMPLETED' ? stepOf(plan, last.stepId).next : last.stepId;
}

function lastAttempt(state: State): Attempt | null {
  let last: Attempt | null = null;
  for (const attempt of state.attempts.values()) {
    if (last === null || attempt.createdAt > last.createdAt) last = attempt;
  }
  return last;
}

function refuse(code: RefusalCode): Decision {
  return { ok: false, code };
}
