import { describe, expect, it } from 'vitest';
import { decide } from '../../../../shared/engine/decide.ts';
import type { Json } from '../../../../shared/engine/json.ts';
import type { WaitStep } from '../../../../shared/engine/plan.ts';
import {
  broken,
  draws,
  expression,
  planOf,
  run,
  stateOf,
  stepBase,
  T0,
} from '../../../support/engine-states.ts';
import {
  decided,
  decideStep,
  events,
  NOBODY_ASKED,
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

const waitFor = (value: Json, of: WaitStep['of'] = 'seconds'): WaitStep => ({
  ...stepBase('it'),
  type: 'wait',
  value: expression(() => value),
  of,
  maxMs: 366 * 86_400_000,
  next: 'then',
});
const step = waitFor(90);
const WAIT = 'RUNNING | it#1 RUNNING | update RUNNING it RUNNING';

const states = {
  requested: { attempt: requested() },
  'requested, paused': { attempt: requested(), run: paused },
  'before its time': { attempt: running({ dueAt: T0 + 1, wakeAt: T0 + 1 }) },
  'at its time': { attempt: running({ dueAt: T0, wakeAt: T0 }) },
  'at its time, paused': { attempt: running({ dueAt: T0, wakeAt: T0 }), run: paused },
  COMPLETED: { attempt: settled('COMPLETED') },
} satisfies Record<string, StepCase>;

const table: Record<keyof typeof states, Partial<Record<keyof typeof events, string>>> = {
  requested: { requested: WAIT, woken: WAIT, completed: 'ATTEMPT_NOT_STARTED' },
  'requested, paused': { requested: 'RUN_PAUSED', woken: 'RUN_PAUSED' },
  'before its time': { ...UNTOUCHED, ...NOBODY_ASKED, requested: 'ATTEMPT_STARTED', woken: 'NOT_DUE' },
  'at its time': {
    ...UNTOUCHED,
    ...NOBODY_ASKED,
    requested: 'ATTEMPT_STARTED',
    woken:
      'RUNNING | it#1 COMPLETED, then#1 RUNNING | update RUNNING it COMPLETED, update RUNNING then RUNNING, task then#1',
  },
  'at its time, paused': { ...UNTOUCHED_PAUSED, ...NOBODY_ASKED },
  COMPLETED: SETTLED,
};

describe('a wait step', () => {
  it.each(rowsOf(table))('$state × $event → $expected', ({ state, event, expected }) => {
    expect(tellStep([step], states[state], events[event])).toBe(expected);
  });

  it.each<[Json, WaitStep['of'], number]>([
    [90, 'seconds', T0 + 90_000],
    [0.0015, 'seconds', T0 + 2],
    [366 * 86_400, 'seconds', T0 + 366 * 86_400_000],
    ['2026-01-15T10:31:00Z', 'until', T0 + 60_000],
    ['2026-01-15T11:31:00.250+01:00', 'until', T0 + 60_250],
    ['2026-01-15t10:31:00z', 'until', T0 + 60_000],
  ])('%s (%s) is due at %i', (value, of, dueAt) => {
    const state = decided(decideStep([waitFor(value, of)], { attempt: requested() }, events.requested));
    expect(state.attempts.get('a-1')).toMatchObject({ status: 'RUNNING', dueAt, wakeAt: dueAt });
  });

  it.each<[Json, WaitStep['of']]>([
    [0, 'seconds'],
    ['2026-01-15T10:30:00Z', 'until'],
    ['1999-01-01T00:00:00Z', 'until'],
  ])('%s (%s) has come: it completes, and the next step is requested', (value, of) => {
    expect(tellStep([waitFor(value, of)], { attempt: requested() }, events.requested)).toBe(
      'RUNNING | it#1 COMPLETED, then#1 PENDING | update RUNNING it COMPLETED, update RUNNING then PENDING, request n-1',
    );
  });

  it.each<[Json, WaitStep['of']]>([
    [-1, 'seconds'],
    ['90', 'seconds'],
    [null, 'seconds'],
    [1e100, 'seconds'],
    [366 * 86_400 + 1, 'seconds'],
    ['2026-01-15', 'until'],
    ['tomorrow', 'until'],
    ['2026-13-45T10:30:00Z', 'until'],
    [90, 'until'],
    ['2999-01-01T00:00:00Z', 'until'],
  ])('EXPRESSION_ERROR: %s (%s) is no time that can be waited for', (value, of) => {
    const state = decided(decideStep([waitFor(value, of)], { attempt: requested() }, events.requested));
    expect(state.run.error).toMatchObject({ code: 'EXPRESSION_ERROR', stepId: 'it' });
    expect(state.run.error?.message).toMatch(/expected .*, at most 366 days from now, got/);
  });

  it('EXPRESSION_ERROR: what it waits for cannot be made', () => {
    const given = { ...step, value: broken, catch: [{ codes: ['EXPRESSION_ERROR'], next: 'handler' }] };
    expect(tellStep([given], { attempt: requested() }, events.requested)).toContain('handler#1 PENDING');
  });

  it('resuming makes due at once what fell due while it was paused', () => {
    const state = decided(decideStep([step], states['at its time, paused'], events.resumed));
    expect(state.attempts.get('a-1')).toMatchObject({ status: 'RUNNING', wakeAt: T0 });
  });
});

it.each<[WaitStep['of']]>([['seconds'], ['until']])(
  'tells of %s what it got, never half a character of it',
  (of) => {
    const plan = planOf([waitFor(`${'a'.repeat(198)}😀`, of)], { maxPayloadBytes: 9_999 });
    const state = decided(decide(plan, stateOf(run(), [requested()]), events.requested, T0, draws()));
    const message = state.run.error?.message ?? '';
    expect(message.isWellFormed()).toBe(true);
    expect(message.endsWith(`got "${'a'.repeat(198)}`)).toBe(true);
  },
);
