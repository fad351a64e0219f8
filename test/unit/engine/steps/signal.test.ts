import { describe, expect, it } from 'vitest';
import type { SignalStep } from '../../../../shared/engine/plan.ts';
import type { Signal } from '../../../../shared/engine/state.ts';
import { pendingRun, stepBase, T0 } from '../../../support/engine-states.ts';
import {
  decided,
  decideStep,
  events,
  NOBODY_ASKED,
  overdue,
  paused,
  requested,
  rowsOf,
  running,
  SETTLED,
  type StepCase,
  settled,
  tellStep,
  UNTOUCHED,
  UNTOUCHED_PAUSED,
} from '../../../support/step-cases.ts';

const step: SignalStep = { ...stepBase('it'), type: 'signal', signal: 'go', next: 'then', timeoutMs: 60_000 };
const came = (id: string, given: Partial<Signal> = {}): Signal => ({
  id,
  name: 'go',
  payload: id,
  receivedAt: T0 - 500,
  takenBy: null,
  ...given,
});
const kept = (...signals: Signal[]) => ({ signals: new Map(signals.map((signal) => [signal.id, signal])) });
const waiting = { signalName: 'go' };

const WAIT = 'RUNNING | it#1 RUNNING | update RUNNING it RUNNING';
const GO_ON =
  'RUNNING | it#1 COMPLETED, then#1 RUNNING | update RUNNING it COMPLETED, update RUNNING then RUNNING, task then#1';
const EARLY =
  'RUNNING | it#1 COMPLETED, then#1 PENDING | update RUNNING it COMPLETED, update RUNNING then PENDING, request n-1';
const HELD =
  'RUNNING paused | it#1 COMPLETED, then#1 PENDING | update PAUSED it COMPLETED, update PAUSED then PENDING';

const states = {
  requested: { attempt: requested() },
  'requested, paused': { attempt: requested(), run: paused },
  'requested, its signal there': { attempt: requested(), data: kept(came('early')) },
  'requested, its signal taken': { attempt: requested(), data: kept(came('early', { takenBy: 'a-0' })) },
  'requested, another signal there': { attempt: requested(), data: kept(came('other', { name: 'stop' })) },
  RUNNING: { attempt: running(waiting) },
  'RUNNING, the signal came before': {
    attempt: running(waiting),
    data: kept(came('s-1', { takenBy: 'a-0' })),
  },
  'RUNNING for another signal': { attempt: running({ signalName: 'stop' }) },
  'RUNNING, paused': { attempt: running(waiting), run: paused },
  'past its deadline': { attempt: overdue(waiting) },
  COMPLETED: { attempt: settled('COMPLETED') },
} satisfies Record<string, StepCase>;

const table: Record<keyof typeof states, Partial<Record<keyof typeof events, string>>> = {
  requested: {
    requested: WAIT,
    woken: WAIT,
    completed: 'ATTEMPT_NOT_STARTED',
    signalled: 'RUNNING | it#1 PENDING | update RUNNING',
  },
  'requested, paused': {
    requested: 'RUN_PAUSED',
    signalled: 'RUNNING paused | it#1 PENDING | update PAUSED',
  },
  'requested, its signal there': { requested: EARLY, woken: EARLY },
  'requested, its signal taken': { requested: WAIT },
  'requested, another signal there': { requested: WAIT },
  RUNNING: {
    ...UNTOUCHED,
    ...NOBODY_ASKED,
    requested: 'ATTEMPT_STARTED',
    woken: 'NOT_DUE',
    signalled: GO_ON,
  },
  'RUNNING, the signal came before': { signalled: 'SIGNAL_REPEATED' },
  'RUNNING for another signal': { ...UNTOUCHED },
  'RUNNING, paused': { ...UNTOUCHED_PAUSED, ...NOBODY_ASKED, signalled: HELD },
  'past its deadline': {
    woken: 'FAILED | it#1 FAILED | update RUNNING it FAILED, update FAILED',
    signalled: GO_ON,
  },
  COMPLETED: { ...SETTLED, signalled: 'RUNNING | it#1 COMPLETED | update RUNNING' },
};

describe('a signal step', () => {
  it.each(rowsOf(table))('$state × $event → $expected', ({ state, event, expected }) => {
    expect(tellStep([step], states[state], events[event])).toBe(expected);
  });

  it('completes with the payload, and the signal is taken', () => {
    const state = decided(decideStep([step], states.RUNNING, events.signalled));
    expect(state.attempts.get('a-1')?.outputData).toEqual({ go: 1 });
    expect(state.signals.get('s-1')).toEqual(
      came('s-1', { payload: { go: 1 }, receivedAt: T0, takenBy: 'a-1' }),
    );
  });

  it('takes of early signals the first', () => {
    const data = kept(came('late'), came('early', { receivedAt: T0 - 900 }));
    const state = decided(decideStep([step], { attempt: requested(), data }, events.requested));
    expect(state.attempts.get('a-1')?.outputData).toBe('early');
    expect([...state.signals.values()].map(({ takenBy }) => takenBy)).toEqual([null, 'a-1']);
  });

  it('of two that wait for the signal the first gets it', () => {
    const beside = [running({ stepExecutionId: 'a-0', stepId: 'then', ...waiting, createdAt: T0 - 100 })];
    const state = decided(decideStep([step], { attempt: running(waiting), beside }, events.signalled));
    expect(state.attempts.get('a-1')?.status).toBe('COMPLETED');
    expect(state.attempts.get('a-0')?.status).toBe('RUNNING');
  });

  it('a PENDING run keeps a signal', () => {
    const state = decided(decideStep([step], { attempt: requested(), run: pendingRun }, events.signalled));
    expect(state.signals.get('s-1')?.takenBy).toBeNull();
  });

  it('waits until its timeout, or for ever', () => {
    const until = decided(decideStep([step], { attempt: requested() }, events.requested));
    expect(until.attempts.get('a-1')).toMatchObject({ signalName: 'go', deadlineAt: null, wakeAt: null });
    const timed = { attempt: requested({ timeoutMs: 60_000 }) };
    const state = decided(decideStep([step], timed, events.requested));
    expect(state.attempts.get('a-1')).toMatchObject({ deadlineAt: T0 + 60_000, wakeAt: T0 + 60_000 });
  });

  it('TIMEOUT names the signal, and may be caught', () => {
    const catching = { ...step, catch: [{ codes: ['TIMEOUT'], next: 'handler' }] };
    expect(tellStep([catching], states['past its deadline'], events.woken)).toContain('handler#1 PENDING');
    const state = decided(decideStep([step], states['past its deadline'], events.woken));
    expect(state.run.error?.message).toContain('No signal "go" came by 2026-01-15T10:29:59.999Z');
  });
});
