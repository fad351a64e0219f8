import { decideAnswer } from './decide-answer.ts';
import { decideRetry } from './decide-retry.ts';
import { Draft, type Draws } from './draft.ts';
import type { Decision, RefusalCode } from './effects.ts';
import type { AgentAnswered, EngineEvent, SignalReceived } from './event.ts';
import { Flow } from './flow.ts';
import { giveUp } from './give-up.ts';
import { NotLoadedError } from './known.ts';
import type { Needs } from './needs.ts';
import { followWorkflow, holdAsWorkflow, pause, resume } from './pause.ts';
import type { Plan } from './plan.ts';
import { cancelRun, failRun } from './run-end.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type Run, type State } from './state.ts';
import { behaviourOf } from './steps/all.ts';

/*
 * The engine: what one event means for one run.
 *
 *                           PENDING run          RUNNING run             closed run
 *   execution_requested     start, or hold       ALREADY_STARTED         RUN_CLOSED
 *   plan_refused            fail                 ALREADY_STARTED         RUN_CLOSED
 *   agent_answered          (no attempts)        settle, go on           RUN_CLOSED
 *   step_requested          (no attempts)        start, or look again    RUN_CLOSED
 *   woken, run              start, or hold       as its workflow is | past its time: fail | NOT_DUE  RUN_CLOSED
 *   woken, attempt          (no attempts)        start, or as its type says      RUN_CLOSED
 *   signal_received         keep                 settle who waits for it | keep  RUN_CLOSED
 *   cancellation_requested  cancel               cancel | CANCELLATION_OUTDATED  RUN_CLOSED
 *   pause_requested         pause                pause                   RUN_CLOSED
 *   resume_requested        resume               resume                  RUN_CLOSED
 *   retry_requested         RUN_OPEN             RUN_OPEN                go on, or back to a step | RUN_COMPLETED
 *   answer_requested        RUN_OPEN             RUN_OPEN                answer the parent again
 *   given_up                fail                 fail it, or its attempt tell the parent that asked | RUN_CLOSED
 *
 * A paused run is PENDING or RUNNING: what was asked for settles, but nothing starts, no clock counts (RUN_PAUSED) and the run does
 * not end until it is resumed (pause.ts). What an attempt does is its step type's to say (steps/); what follows from it is flow.ts.
 *
 * What holds whatever comes, however often and in whatever order:
 *   I1  An acknowledged run reaches a terminal status, once what it waits for has come.
 *   I2  A step attempt is completed at most once.
 *   I3  No step starts before what it reads is committed.
 *   I4  A terminal run never changes, other than by an explicit retry, which opens a new attempt.
 *   I5  A message is published if its cause is committed, at least once, and never otherwise.
 *   I6  With agents that answer the same, and no race that the definition itself contains, the outcome equals that of the
 *       fault-free run.
 *   I7  Every open run that can move by itself has a row with `wake_at`, PENDING runs included.
 */

/**
 * Decides what `event` means. Pure: time, ids and chance are arguments; `state` holds what `attemptsOf`, `joinsOf` and `needsOf`
 * name.
 * @param now epoch milliseconds
 * @throws NotLoadedError where it reads what was not loaded: with that it may be decided again
 */
export function decide(plan: Plan, state: State, event: EngineEvent, now: number, draws: Draws): Decision {
  const flow = new Flow(plan, new Draft(state, now, draws), behaviourOf);
  const refusal = apply(flow, event);
  return refusal === null
    ? { ok: true, state: flow.draft.state, effects: flow.draft.effects }
    : { ok: false, code: refusal };
}

/**
 * Decides with what the decision itself is found to need.
 * @param stateWith the state that holds what each of them tells, and what the event is about
 */
export function decideLoading(
  plan: Plan,
  stateWith: (lacking: readonly Needs[]) => State,
  event: EngineEvent,
  now: number,
  draws: Draws,
): Decision {
  for (const lacking: Needs[] = []; ; ) {
    try {
      return decide(plan, stateWith(lacking), event, now, draws);
    } catch (error) {
      if (!(error instanceof NotLoadedError) || error.needs === null || lacking.length >= MAX_LACKING)
        throw error;
      lacking.push(error.needs);
    }
  }
}

/** No decision reads more than what is told by so many. */
export const MAX_LACKING = 100;

function apply(flow: Flow, event: EngineEvent): RefusalCode | null {
  const { draft } = flow;
  if (event.type === 'retry_requested') return decideRetry(flow, event);
  if (event.type === 'answer_requested') return decideAnswer(flow, event);
  if (event.type === 'given_up') return giveUp(flow, event);
  if (!isOpenRun(draft.run)) return 'RUN_CLOSED'; // I4
  switch (event.type) {
    case 'execution_requested':
      return start(flow, 'ALREADY_STARTED');
    case 'plan_refused':
      if (draft.run.status !== 'PENDING') return 'ALREADY_STARTED';
      failRun(draft, null, { code: 'INVALID_PLAN', message: event.message });
      return null;
    case 'agent_answered':
      return settle(flow, event);
    case 'step_requested':
      return withAttempt(flow, event.stepExecutionId, (attempt) => requested(flow, attempt));
    case 'woken':
      return wake(flow, event.stepExecutionId, event.at);
    case 'signal_received':
      return receive(flow, event);
    case 'pause_requested':
      return pause(flow, event.by ?? 'run');
    case 'resume_requested':
      return resume(flow, event.by ?? 'run');
    case 'cancellation_requested':
      if (isOutdated(draft.run, event.requestedAt)) return 'CANCELLATION_OUTDATED';
      flow.cancelOpen();
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

function start(flow: Flow, otherwise: RefusalCode): RefusalCode | null {
  const { draft, plan } = flow;
  if (draft.run.status !== 'PENDING') return otherwise;
  const before = draft.run;
  holdAsWorkflow(draft);
  if (draft.run.pausedAt !== null) {
    if (draft.run === before) return 'RUN_PAUSED';
    draft.announce(null);
    return null;
  }
  const timeoutAt = plan.timeoutMs === null ? null : draft.now + plan.timeoutMs;
  draft.run = {
    ...draft.run,
    status: 'RUNNING',
    startedAt: draft.now,
    error: null,
    timeoutAt,
    wakeAt: timeoutAt,
  };
  draft.announce(null);
  flow.enter(plan.startStep, '');
  return null;
}

function settle(flow: Flow, event: AgentAnswered): RefusalCode | null {
  return withAttempt(flow, event.stepExecutionId, (attempt) => {
    if (event.attempt !== null && event.attempt !== attempt.attempt) return 'UNKNOWN_ATTEMPT';
    if (attempt.status === 'PENDING') return 'ATTEMPT_NOT_STARTED';
    const step = flow.stepOf(attempt.stepId);
    const { answered } = flow.behaviourOf(step);
    // Nobody was asked.
    if (answered === undefined) return 'UNKNOWN_ATTEMPT';
    flow.settling(() => answered(flow, step, attempt, event));
    return null;
  });
}

function requested(flow: Flow, attempt: Attempt): RefusalCode | null {
  if (flow.draft.run.pausedAt !== null) return 'RUN_PAUSED';
  if (attempt.status === 'PENDING') {
    // Its backoff is the timekeeper's to end.
    if (attempt.dueAt !== null) return 'NOT_DUE';
    flow.start(attempt);
    return null;
  }
  const step = flow.stepOf(attempt.stepId);
  const { requested: lookAgain } = flow.behaviourOf(step);
  return lookAgain === undefined ? 'ATTEMPT_STARTED' : lookAgain(flow, step, attempt);
}

function wake(flow: Flow, stepExecutionId: string | null, at: number): RefusalCode | null {
  if (stepExecutionId === null) return wakeRun(flow, at);
  return withAttempt(flow, stepExecutionId, (attempt) => {
    if (flow.draft.run.pausedAt !== null) return 'RUN_PAUSED';
    if (attempt.status === 'PENDING') {
      if (attempt.dueAt !== null && attempt.dueAt > at) return 'NOT_DUE';
      flow.start(attempt);
      return null;
    }
    const step = flow.stepOf(attempt.stepId);
    const { opensScopes, woken } = flow.behaviourOf(step);
    if (woken === undefined) return 'NOT_DUE';
    // What follows a container is requested: gathering its outputs is enough for one record.
    return opensScopes ? woken(flow, step, attempt, at) : flow.settling(() => woken(flow, step, attempt, at));
  });
}

function wakeRun(flow: Flow, at: number): RefusalCode | null {
  const { draft } = flow;
  const { pausedAt, status, timeoutAt } = draft.run;
  if (status === 'PENDING') return start(flow, 'NOT_DUE');
  if (followWorkflow(flow)) return null;
  if (pausedAt !== null) return 'RUN_PAUSED';
  if (timeoutAt === null || timeoutAt > at) return 'NOT_DUE';
  flow.cancelOpen();
  const message = `The run did not end by ${new Date(timeoutAt).toISOString()}: its limit is ${flow.plan.timeoutMs} ms`;
  failRun(draft, null, { code: 'TIMEOUT', message });
  return null;
}

function receive(flow: Flow, { name, signalId, payload }: SignalReceived): RefusalCode | null {
  const { draft } = flow;
  if (draft.signals.has(signalId)) return 'SIGNAL_REPEATED';
  const came = { id: signalId, name, payload, receivedAt: draft.now, takenBy: null };
  draft.putSignal(came);
  const waiting = draft.waitingFor(name).sort((a, b) => a.createdAt - b.createdAt)[0];
  const step = waiting && flow.stepOf(waiting.stepId);
  const signalled = step && flow.behaviourOf(step).signalled;
  if (waiting && step && signalled) flow.settling(() => signalled(flow, step, waiting, came));
  // Every decision raises the sequence.
  else draft.announce(null);
  return null;
}

/** I2: what a settled attempt is told is refused. */
function withAttempt(
  { draft }: Flow,
  stepExecutionId: string,
  act: (attempt: Attempt) => RefusalCode | null,
): RefusalCode | null {
  const attempt = draft.attempts.get(stepExecutionId);
  if (attempt === undefined) return 'UNKNOWN_ATTEMPT';
  return isOpenAttempt(attempt) ? act(attempt) : 'ATTEMPT_CLOSED';
}

export { attemptsOf } from './attempts-of.ts';
export { joinsOf, mustComeFirst, needsOf } from './needs-of.ts';
