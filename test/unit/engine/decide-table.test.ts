import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/engine/decide.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { Attempt, AttemptStatus, RunStatus, State } from '../../../shared/engine/state.ts';
import {
  attempt,
  cancelledRun,
  completedRun,
  draws,
  failedRun,
  pausedRun,
  pendingRun,
  pipelinePlan,
  requestedAttempt,
  run,
  stateOf,
  T0,
  waitingAttempt,
} from '../../support/engine-states.ts';
import { tell } from '../../support/tell-decision.ts';

/*
 * Every event in every state that a run and the attempt that it is about can be in. One row is one decision, and its outcome is
 * written out: the run's status, then each attempt as `step#attempt status`, then the effects in their order; or the refusal.
 */

const closedAttempt = (status: AttemptStatus): Attempt =>
  attempt({ status, completedAt: T0 - 1_000, wakeAt: null });

const states = {
  PENDING: stateOf(pendingRun),
  'RUNNING, attempt requested': stateOf(run(), [requestedAttempt]),
  'RUNNING, attempt waiting for its backoff': stateOf(run(), [waitingAttempt]),
  'RUNNING, attempt RUNNING': stateOf(run(), [attempt()]),
  'RUNNING, attempt RUNNING and overdue': stateOf(run(), [attempt({ deadlineAt: T0 - 1, wakeAt: T0 - 1 })]),
  'RUNNING, attempt RUNNING, overdue and accepted': stateOf(run(), [
    attempt({ deadlineAt: T0 - 1, wakeAt: T0 - 1, acceptedAt: T0 - 60_000 }),
  ]),
  'RUNNING, attempt RUNNING, overdue and republished': stateOf(run(), [
    attempt({ deadlineAt: T0 - 1, wakeAt: T0 - 1, republishedAt: T0 - 60_000 }),
  ]),
  'RUNNING, attempt COMPLETED': stateOf(run(), [closedAttempt('COMPLETED')]),
  'RUNNING, attempt FAILED': stateOf(run(), [closedAttempt('FAILED')]),
  'RUNNING, attempt CANCELLED': stateOf(run(), [closedAttempt('CANCELLED')]),
  'RUNNING, attempt unknown': stateOf(run()),
  'PENDING and paused': stateOf({ ...pendingRun, pausedAt: T0 - 2_000, heldBy: 'run' }),
  'paused, attempt requested': stateOf(pausedRun, [requestedAttempt]),
  'paused, attempt waiting for its backoff': stateOf(pausedRun, [waitingAttempt]),
  'paused, its backoff over': stateOf(pausedRun, [{ ...waitingAttempt, dueAt: T0 - 1, wakeAt: T0 - 1 }]),
  'paused, attempt RUNNING': stateOf(pausedRun, [attempt()]),
  'paused, attempt RUNNING and overdue': stateOf(pausedRun, [
    attempt({ deadlineAt: T0 - 1, wakeAt: T0 - 1 }),
  ]),
  'paused, out of time': stateOf({ ...pausedRun, timeoutAt: T0 - 1, wakeAt: T0 - 1 }, [attempt()]),
  'RUNNING, out of time': stateOf(run({ timeoutAt: T0 - 1, wakeAt: T0 - 1 }), [attempt()]),
  'COMPLETED, attempt COMPLETED': stateOf(completedRun, [closedAttempt('COMPLETED')]),
  'FAILED, attempt FAILED': stateOf(failedRun, [closedAttempt('FAILED')]),
  'CANCELLED, attempt CANCELLED': stateOf(cancelledRun, [closedAttempt('CANCELLED')]),
  'FAILED before any attempt': stateOf(failedRun),
  'CANCELLED before any attempt': stateOf(cancelledRun),
} satisfies Record<string, State>;

const answered = { type: 'agent_answered', stepExecutionId: 'a-1', logs: null } as const;
const events = {
  execution_requested: { type: 'execution_requested' },
  plan_refused: { type: 'plan_refused', message: 'no steps' },
  completed: { ...answered, attempt: null, outcome: { status: 'completed', output: 'out' } },
  'failed, retryable': {
    ...answered,
    attempt: null,
    outcome: { status: 'failed', error: { code: 'BUSY', message: 'later', retryable: true } },
  },
  'failed for good': {
    ...answered,
    attempt: null,
    outcome: { status: 'failed', error: { code: 'BAD', message: 'never', retryable: false } },
  },
  step_requested: { type: 'step_requested', stepExecutionId: 'a-1' },
  'woken, run': { type: 'woken', stepExecutionId: null, at: T0 },
  'woken, attempt': { type: 'woken', stepExecutionId: 'a-1', at: T0 },
  cancellation_requested: { type: 'cancellation_requested', by: 'ann', reason: 'enough' },
  pause_requested: { type: 'pause_requested' },
  resume_requested: { type: 'resume_requested' },
  signal_received: { type: 'signal_received', name: 'go', signalId: 's-1', payload: 1 },
  retry_requested: { type: 'retry_requested' },
} satisfies Record<string, EngineEvent>;

const START = 'RUNNING | extract#1 RUNNING | update RUNNING, update RUNNING extract RUNNING, task extract#1';
const GO_ON =
  'RUNNING | extract#1 COMPLETED, transform#1 RUNNING | update RUNNING extract COMPLETED, update RUNNING transform RUNNING, task transform#1';
const RETRY_LATER =
  'RUNNING | extract#1 FAILED, extract#2 PENDING | update RUNNING extract FAILED, update RUNNING extract PENDING';
const FAIL = 'FAILED | extract#1 FAILED | update RUNNING extract FAILED, update FAILED';
const START_ATTEMPT = 'RUNNING | extract#1 RUNNING | update RUNNING extract RUNNING, task extract#1';
const REPUBLISH = START_ATTEMPT;
const cancelled = (attempts: string) =>
  attempts === ''
    ? 'CANCELLED |  | update CANCELLED, announce cancellation'
    : `CANCELLED | ${attempts} CANCELLED | update RUNNING extract CANCELLED, update CANCELLED, announce cancellation`;
const cancelledBeside = (attempts: string) =>
  `CANCELLED | ${attempts} | update CANCELLED, announce cancellation`;
const retriedAfter = (last: string, attempt: number) =>
  `RUNNING | ${last === '' ? '' : `${last}, `}extract#${attempt} PENDING | update RUNNING, update RUNNING extract PENDING, request n-1`;

type StateName = keyof typeof states;
type EventName = keyof typeof events;

const RUN_CLOSED = {
  execution_requested: 'RUN_CLOSED',
  plan_refused: 'RUN_CLOSED',
  completed: 'RUN_CLOSED',
  'failed, retryable': 'RUN_CLOSED',
  'failed for good': 'RUN_CLOSED',
  step_requested: 'RUN_CLOSED',
  'woken, run': 'RUN_CLOSED',
  'woken, attempt': 'RUN_CLOSED',
  cancellation_requested: 'RUN_CLOSED',
  pause_requested: 'RUN_CLOSED',
  resume_requested: 'RUN_CLOSED',
  signal_received: 'RUN_CLOSED',
} as const;

/** What a running run says to everything that is not about its attempt. */
const RUNNING = {
  execution_requested: 'ALREADY_STARTED',
  plan_refused: 'ALREADY_STARTED',
  'woken, run': 'NOT_DUE',
  retry_requested: 'RUN_OPEN',
} as const;

/** Pausing, and a signal that nobody waits for, leave what is there as it is. */
const beside = (attempts: string) => ({
  pause_requested: `RUNNING paused | ${attempts} | update PAUSED`,
  resume_requested: 'RUN_NOT_PAUSED',
  signal_received: `RUNNING | ${attempts} | update RUNNING`,
});

/** Nothing starts and no clock counts; what was asked for settles, and what follows is held. */
const PAUSED = {
  execution_requested: 'ALREADY_STARTED',
  plan_refused: 'ALREADY_STARTED',
  step_requested: 'RUN_PAUSED',
  'woken, run': 'RUN_PAUSED',
  'woken, attempt': 'RUN_PAUSED',
  pause_requested: 'RUN_PAUSED',
  retry_requested: 'RUN_OPEN',
} as const;

const besidePaused = (attempts: string, asks = '') => ({
  ...PAUSED,
  resume_requested: `RUNNING | ${attempts} | update RUNNING${asks}`,
  signal_received: `RUNNING paused | ${attempts} | update PAUSED`,
  cancellation_requested: `CANCELLED | ${attempts.replace(/\w+$/, 'CANCELLED')} | update PAUSED extract CANCELLED, update CANCELLED, announce cancellation`,
});

const PAUSED_ATTEMPT_RUNNING = {
  ...besidePaused('extract#1 RUNNING'),
  completed:
    'RUNNING paused | extract#1 COMPLETED, transform#1 PENDING | update PAUSED extract COMPLETED, update PAUSED transform PENDING',
  'failed, retryable':
    'RUNNING paused | extract#1 FAILED, extract#2 PENDING | update PAUSED extract FAILED, update PAUSED extract PENDING',
  'failed for good': 'RUNNING paused | extract#1 FAILED | update PAUSED extract FAILED',
  step_requested: 'RUN_PAUSED',
} as const;

const ATTEMPT_CLOSED = {
  completed: 'ATTEMPT_CLOSED',
  'failed, retryable': 'ATTEMPT_CLOSED',
  'failed for good': 'ATTEMPT_CLOSED',
  step_requested: 'ATTEMPT_CLOSED',
  'woken, attempt': 'ATTEMPT_CLOSED',
} as const;

const ATTEMPT_NOT_STARTED = {
  completed: 'ATTEMPT_NOT_STARTED',
  'failed, retryable': 'ATTEMPT_NOT_STARTED',
  'failed for good': 'ATTEMPT_NOT_STARTED',
} as const;

const ATTEMPT_RUNNING = {
  ...RUNNING,
  completed: GO_ON,
  'failed, retryable': RETRY_LATER,
  'failed for good': FAIL,
  step_requested: 'ATTEMPT_STARTED',
  cancellation_requested: cancelled('extract#1'),
  ...beside('extract#1 RUNNING'),
} as const;

const table: Record<StateName, Record<EventName, string>> = {
  PENDING: {
    execution_requested: START,
    plan_refused: 'FAILED |  | update FAILED',
    completed: 'UNKNOWN_ATTEMPT',
    'failed, retryable': 'UNKNOWN_ATTEMPT',
    'failed for good': 'UNKNOWN_ATTEMPT',
    step_requested: 'UNKNOWN_ATTEMPT',
    'woken, run': START,
    'woken, attempt': 'UNKNOWN_ATTEMPT',
    cancellation_requested: cancelled(''),
    pause_requested: 'PENDING paused |  | update PAUSED',
    resume_requested: 'RUN_NOT_PAUSED',
    signal_received: 'PENDING |  | update PENDING',
    retry_requested: 'RUN_OPEN',
  },
  'RUNNING, attempt requested': {
    ...RUNNING,
    ...ATTEMPT_NOT_STARTED,
    step_requested: START_ATTEMPT,
    'woken, attempt': START_ATTEMPT,
    cancellation_requested: cancelled('extract#1'),
    ...beside('extract#1 PENDING'),
  },
  'RUNNING, attempt waiting for its backoff': {
    ...RUNNING,
    ...ATTEMPT_NOT_STARTED,
    step_requested: 'NOT_DUE',
    'woken, attempt': 'NOT_DUE',
    cancellation_requested: cancelled('extract#2'),
    ...beside('extract#2 PENDING'),
  },
  'RUNNING, attempt RUNNING': { ...ATTEMPT_RUNNING, 'woken, attempt': 'NOT_DUE' },
  'RUNNING, attempt RUNNING and overdue': { ...ATTEMPT_RUNNING, 'woken, attempt': REPUBLISH },
  'RUNNING, attempt RUNNING, overdue and accepted': { ...ATTEMPT_RUNNING, 'woken, attempt': RETRY_LATER },
  'RUNNING, attempt RUNNING, overdue and republished': { ...ATTEMPT_RUNNING, 'woken, attempt': RETRY_LATER },
  'RUNNING, attempt COMPLETED': {
    ...RUNNING,
    ...ATTEMPT_CLOSED,
    cancellation_requested: cancelledBeside('extract#1 COMPLETED'),
    ...beside('extract#1 COMPLETED'),
  },
  'RUNNING, attempt FAILED': {
    ...RUNNING,
    ...ATTEMPT_CLOSED,
    cancellation_requested: cancelledBeside('extract#1 FAILED'),
    ...beside('extract#1 FAILED'),
  },
  'RUNNING, attempt CANCELLED': {
    ...RUNNING,
    ...ATTEMPT_CLOSED,
    cancellation_requested: cancelledBeside('extract#1 CANCELLED'),
    ...beside('extract#1 CANCELLED'),
  },
  'RUNNING, attempt unknown': {
    ...RUNNING,
    completed: 'UNKNOWN_ATTEMPT',
    'failed, retryable': 'UNKNOWN_ATTEMPT',
    'failed for good': 'UNKNOWN_ATTEMPT',
    step_requested: 'UNKNOWN_ATTEMPT',
    'woken, attempt': 'UNKNOWN_ATTEMPT',
    cancellation_requested: cancelled(''),
    ...beside(''),
  },
  'PENDING and paused': {
    execution_requested: 'RUN_PAUSED',
    plan_refused: 'FAILED |  | update FAILED',
    completed: 'UNKNOWN_ATTEMPT',
    'failed, retryable': 'UNKNOWN_ATTEMPT',
    'failed for good': 'UNKNOWN_ATTEMPT',
    step_requested: 'UNKNOWN_ATTEMPT',
    'woken, run': 'RUN_PAUSED',
    'woken, attempt': 'UNKNOWN_ATTEMPT',
    cancellation_requested: cancelled(''),
    pause_requested: 'RUN_PAUSED',
    resume_requested: 'PENDING |  | update PENDING',
    signal_received: 'PENDING paused |  | update PAUSED',
    retry_requested: 'RUN_OPEN',
  },
  'paused, attempt requested': {
    ...ATTEMPT_NOT_STARTED,
    ...besidePaused('extract#1 PENDING', ', request a-1'),
  },
  'paused, attempt waiting for its backoff': { ...ATTEMPT_NOT_STARTED, ...besidePaused('extract#2 PENDING') },
  'paused, its backoff over': { ...ATTEMPT_NOT_STARTED, ...besidePaused('extract#2 PENDING') },
  'paused, attempt RUNNING': PAUSED_ATTEMPT_RUNNING,
  'paused, attempt RUNNING and overdue': PAUSED_ATTEMPT_RUNNING,
  'paused, out of time': PAUSED_ATTEMPT_RUNNING,
  'RUNNING, out of time': {
    ...ATTEMPT_RUNNING,
    'woken, run': 'FAILED | extract#1 CANCELLED | update RUNNING extract CANCELLED, update FAILED',
    'woken, attempt': 'NOT_DUE',
  },
  'COMPLETED, attempt COMPLETED': { ...RUN_CLOSED, retry_requested: 'RUN_COMPLETED' },
  'FAILED, attempt FAILED': { ...RUN_CLOSED, retry_requested: retriedAfter('extract#1 FAILED', 2) },
  'CANCELLED, attempt CANCELLED': { ...RUN_CLOSED, retry_requested: retriedAfter('extract#1 CANCELLED', 2) },
  'FAILED before any attempt': { ...RUN_CLOSED, retry_requested: retriedAfter('', 1) },
  'CANCELLED before any attempt': { ...RUN_CLOSED, retry_requested: retriedAfter('', 1) },
};

const cases = (Object.keys(states) as StateName[]).flatMap((state) =>
  (Object.keys(events) as EventName[]).map((event) => ({ state, event, expected: table[state][event] })),
);

describe('decide: every event × every run and attempt status', () => {
  it.each(cases)('$state × $event → $expected', ({ state, event, expected }) => {
    const before = structuredClone(states[state]);

    const decision = decide(pipelinePlan(), states[state], events[event], T0, draws());

    expect(tell(decision)).toBe(expected);
    expect(states[state], 'the state that came in is left as it was').toEqual(before);
  });

  it.each(cases.filter(({ expected }) => expected.includes('|')))(
    'I4, I7: $state × $event numbers its updates without a gap and leaves a wake for every open run',
    ({ state, event }) => {
      const decision = decide(pipelinePlan(), states[state], events[event], T0, draws());

      if (!decision.ok) throw new Error(decision.code);
      const first = states[state].run.sequence + 1;
      const numbers = decision.effects.flatMap((effect) => ('sequence' in effect ? [effect.sequence] : []));
      expect(numbers).toEqual(numbers.map((_, i) => first + i));
      expect(decision.state.run.sequence).toBe(first + numbers.length - 1);
      const attempts = [...decision.state.attempts.values()];
      const { pausedAt, status, wakeAt } = decision.state.run;
      const open = attempts.filter((attempt) => isOpen(attempt.status));
      if (status === 'PENDING') expect(wakeAt).not.toBeNull();
      else if (isOpen(status)) {
        if (pausedAt === null) expect(open.map(({ wakeAt }) => wakeAt)).not.toContain(null);
      } else {
        expect(attempts.every(({ status }) => !isOpen(status))).toBe(true);
        expect(decision.state.run.completedAt).toBe(T0);
        expect(decision.state.run.wakeAt).toBeNull();
      }
    },
  );
});

function isOpen(status: RunStatus): boolean {
  return status === 'PENDING' || status === 'RUNNING';
}
