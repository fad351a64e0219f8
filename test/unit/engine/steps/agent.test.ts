import { describe, expect, it } from 'vitest';
import { broken, expression, NOTHING, planStep, policy, T0 } from '../../../support/engine-states.ts';
import {
  decided,
  decideStep,
  events,
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

const step = planStep('it', { next: 'then', retry: [policy({ maxAttempts: 2 })] });

const START = 'RUNNING | it#1 RUNNING | update RUNNING it RUNNING, task it#1';
const GO_ON =
  'RUNNING | it#1 COMPLETED, then#1 RUNNING | update RUNNING it COMPLETED, update RUNNING then RUNNING, task then#1';
const AGAIN = 'RUNNING | it#1 FAILED, it#2 PENDING | update RUNNING it FAILED, update RUNNING it PENDING';
const ANSWERED = { completed: GO_ON, failed: AGAIN };
const HELD = {
  completed:
    'RUNNING paused | it#1 COMPLETED, then#1 PENDING | update PAUSED it COMPLETED, update PAUSED then PENDING',
  failed: 'RUNNING paused | it#1 FAILED, it#2 PENDING | update PAUSED it FAILED, update PAUSED it PENDING',
};

const states = {
  requested: { attempt: requested() },
  'requested, paused': { attempt: requested(), run: paused },
  RUNNING: { attempt: running() },
  'RUNNING, paused': { attempt: running(), run: paused },
  'past its deadline': { attempt: overdue() },
  'past its deadline, published again': { attempt: overdue({ republishedAt: T0 - 60_000 }) },
  'past its deadline, accepted': { attempt: overdue({ acceptedAt: T0 - 60_000 }) },
  'past its heartbeat': {
    attempt: running({ acceptedAt: T0 - 9_000, heartbeatDueAt: T0, deadlineAt: T0 + 1, wakeAt: T0 }),
  },
  'before its heartbeat': {
    attempt: running({ acceptedAt: T0 - 9_000, heartbeatDueAt: T0 + 1, wakeAt: T0 + 1 }),
  },
  'past its heartbeat, paused': { attempt: running({ heartbeatDueAt: T0, wakeAt: T0 }), run: paused },
  COMPLETED: { attempt: settled('COMPLETED') },
  FAILED: { attempt: settled('FAILED') },
  CANCELLED: { attempt: settled('CANCELLED') },
} satisfies Record<string, StepCase>;

const table: Record<keyof typeof states, Partial<Record<keyof typeof events, string>>> = {
  requested: {
    requested: START,
    woken: START,
    completed: 'ATTEMPT_NOT_STARTED',
    failed: 'ATTEMPT_NOT_STARTED',
  },
  'requested, paused': { requested: 'RUN_PAUSED', woken: 'RUN_PAUSED', completed: 'ATTEMPT_NOT_STARTED' },
  RUNNING: { ...ANSWERED, ...UNTOUCHED, requested: 'ATTEMPT_STARTED', woken: 'NOT_DUE' },
  'RUNNING, paused': { ...UNTOUCHED_PAUSED, ...HELD },
  'past its deadline': { ...ANSWERED, ...UNTOUCHED, requested: 'ATTEMPT_STARTED', woken: START },
  'past its deadline, published again': { ...ANSWERED, woken: AGAIN },
  'past its deadline, accepted': { ...ANSWERED, woken: AGAIN },
  'past its heartbeat': { ...ANSWERED, woken: AGAIN },
  'before its heartbeat': { ...ANSWERED, woken: 'NOT_DUE' },
  'past its heartbeat, paused': { ...UNTOUCHED_PAUSED, ...HELD },
  COMPLETED: SETTLED,
  FAILED: SETTLED,
  CANCELLED: SETTLED,
};

describe('an agent step', () => {
  it.each(rowsOf(table))('$state × $event → $expected', ({ state, event, expected }) => {
    expect(tellStep([step], states[state], events[event])).toBe(expected);
  });

  it('is given what its heartbeat allows', () => {
    const beating = planStep('it', { heartbeatMs: 30_000 });
    const state = decided(decideStep([beating], { attempt: requested() }, events.requested));
    expect(state.attempts.get('a-1')).toMatchObject({ heartbeatMs: 30_000, heartbeatDueAt: null });
  });

  it('HEARTBEAT_TIMEOUT says how long the agent was silent', () => {
    const silent = running({ acceptedAt: T0 - 9_000, heartbeatDueAt: T0, heartbeatMs: 9_000 });
    const state = decided(decideStep([step], { attempt: silent }, events.woken));
    const message = 'The agent gave no sign of life for 9000 ms';
    expect(state.attempts.get('a-1')?.error).toEqual({ code: 'HEARTBEAT_TIMEOUT', message });
  });

  it('resuming makes due at once what fell due while it was paused', () => {
    const state = decided(decideStep([step], { attempt: overdue(), run: paused }, events.resumed));
    expect(state.attempts.get('a-1')).toMatchObject({ wakeAt: T0, deadlineAt: T0 - 1 });
  });
});

describe('what any step may come to', () => {
  const last = planStep('it', { retry: [] });
  const caught = { ...last, catch: [{ codes: ['BAD'], next: 'handler' }] };
  const output = expression(({ output }) => ({ was: output ?? null }));
  const assign = expression(({ output, variables }) => ({ last: output ?? null, before: variables }));
  const own = (given: object) => ({ ...last, next: 'then', ...given });
  const failedOf = (given: object, event = events.completed, data = {}) =>
    decided(decideStep([own(given)], { attempt: running(), data }, event)).run.error;

  it('an error that it catches requests its handler, and is kept', () => {
    expect(tellStep([caught], { attempt: running() }, events.failed)).toBe(
      'RUNNING | it#1 FAILED, handler#1 PENDING | update RUNNING it FAILED, update RUNNING handler PENDING, request n-1',
    );
    const state = decided(decideStep([caught], { attempt: running() }, events.failed));
    expect(state.errors.get('')).toEqual({ code: 'BAD', message: 'no', step: 'it', attempt: 1 });
  });

  it('an error that it catches while it is paused holds its handler', () => {
    expect(tellStep([caught], { attempt: running(), run: paused }, events.failed)).toBe(
      'RUNNING paused | it#1 FAILED, handler#1 PENDING | update PAUSED it FAILED, update PAUSED handler PENDING',
    );
  });

  it('of catch clauses the first that names the code counts', () => {
    const clauses = [
      { codes: ['OTHER'], next: 'then' },
      { codes: null, next: 'handler' },
    ];
    const both = { ...last, catch: clauses };
    expect(tellStep([both], { attempt: running() }, events.failed)).toContain('handler#1 PENDING');
  });

  it('is retried before it is caught', () => {
    const both = { ...caught, retry: [policy()] };
    expect(tellStep([both], { attempt: running() }, events.failed)).toContain('it#2 PENDING');
    const third = { attempt: running({ attempt: 3, policyAttempt: 3 }) };
    expect(tellStep([both], third, events.failed)).toContain('handler#1 PENDING');
  });

  it('of retry policies the first that names the code counts', () => {
    const retry = [policy({ codes: ['OTHER'] }), policy({ codes: ['BAD'], maxAttempts: 1 }), policy()];
    expect(tellStep([{ ...last, retry }], { attempt: running() }, events.failed)).toMatch(/^FAILED/);
  });

  it('output_mapping makes its output of what it came to', () => {
    const state = decided(decideStep([own({ output })], { attempt: running() }, events.completed));
    expect(state.attempts.get('a-1')?.outputData).toEqual({ was: 'out' });
  });

  it('assign adds to the variables that its scope sees', () => {
    const variables = new Map([['', { kept: 1, last: 0 }]]);
    const given = { attempt: running(), data: { variables } };
    const state = decided(decideStep([own({ assign })], given, events.completed));
    expect(state.variables.get('')).toEqual({ kept: 1, last: 'out', before: { kept: 1, last: 0 } });
  });

  it.each([
    ['its input', { input: broken }, events.requested, requested()],
    ['its output', { output: broken }, events.completed, running()],
    ['assign', { assign: broken }, events.completed, running()],
  ])('EXPRESSION_ERROR: %s cannot be made', (_, given, event, attempt) => {
    const state = decided(decideStep([own(given)], { attempt }, event));
    expect(state.run.error).toMatchObject({ code: 'EXPRESSION_ERROR', stepId: 'it' });
    expect(state.run.error?.message).toContain('it is broken');
  });

  const large = expression(() => 'x'.repeat(199));
  it.each([
    ['its input', { input: large }, events.requested, requested()],
    [
      'what its agent answers',
      {},
      { ...events.completed, outcome: { status: 'completed', output: 'x'.repeat(199) } } as const,
      running(),
    ],
    ['its output', { output: large }, events.completed, running()],
    ['what it assigns', { assign: expression(() => ({ x: 'x'.repeat(199) })) }, events.completed, running()],
  ])('DATA_LIMIT: %s is over the limit, and it may be caught', (_, given, event, attempt) => {
    const state = decided(decideStep([own(given)], { attempt }, event));
    expect(state.run.error).toMatchObject({ code: 'DATA_LIMIT', stepId: 'it' });
    expect(state.run.error?.message).toContain('200 bytes');
    const catching = own({ ...given, catch: [{ codes: ['DATA_LIMIT'], next: 'handler' }] });
    expect(tellStep([catching], { attempt }, event)).toContain('handler#1 PENDING');
  });

  it('DATA_LIMIT: the variables together are over the limit', () => {
    const variables = new Map([['', { kept: 'x'.repeat(150) }]]);
    const long = expression(() => ({ more: 'y'.repeat(50) }));
    expect(failedOf({ assign: long }, events.completed, { variables })?.code).toBe('DATA_LIMIT');
  });

  it('STEP_LIMIT: the run has started as many steps as it may', () => {
    const run = { stepsStarted: 21 };
    const settings = { maxStepsPerRun: 20 };
    const state = decided(decideStep([last], { attempt: requested(), run, settings }, events.requested));
    expect(state.run.error).toMatchObject({
      code: 'STEP_LIMIT',
      message: 'Step "it" failed with STEP_LIMIT on attempt 1: The run has started 21 steps; the limit is 20',
    });
    expect(
      tellStep([last], { attempt: requested(), run: { stepsStarted: 20 }, settings }, events.requested),
    ).toBe(START);
  });

  it('what catches STEP_LIMIT may run, but not for ever', () => {
    const settings = { maxStepsPerRun: 20 };
    const catching = { ...last, catch: [{ codes: null, next: 'handler' }] };
    const error = { code: 'STEP_LIMIT', message: '', step: 'it', attempt: 1 };
    const data = { errors: new Map([['', error]]) };
    const tellAt = (stepsStarted: number, given = {}) =>
      tellStep(
        [catching],
        { attempt: requested(), run: { stepsStarted }, settings, ...given },
        events.requested,
      );
    expect(tellAt(21)).toContain('handler#1 PENDING');
    expect(tellAt(120, { data })).toBe(START);
    expect(tellAt(121, { data })).toMatch(/^FAILED/);
    expect(tellAt(25, { data: { errors: new Map([['', { ...error, code: 'OTHER' }]]) } })).toContain(
      'it#1 FAILED',
    );
  });

  it('reads what is caught, set and brought in the scopes around it', () => {
    const seen = expression(({ error, outputs, variables }) => ({
      error: error?.code ?? null,
      variables,
      outer: outputs.get('before') ?? null,
    }));
    const reads = { ...NOTHING, steps: ['before'], variables: true, error: true };
    const inner = planStep('it', { input: seen, reads, within: 'map', depth: 1 });
    const around = planStep('before');
    const data = {
      errors: new Map([['', { code: 'CAUGHT', message: '', step: 'x', attempt: 1 }]]),
      variables: new Map([
        ['', { v: 'outer' }],
        ['map#1/0', { v: 'own' }],
      ]),
      outputs: { before: 7 },
    };
    const map = { ...planStep('map'), type: 'map', items: seen, startStep: 'it' } as never;
    const given = { attempt: requested({ scope: 'map#1/0' }), data };
    const state = decided(decideStep([inner, around, map], given, events.requested));
    expect(state.attempts.get('a-1')?.inputData).toEqual({
      error: 'CAUGHT',
      variables: { v: 'own' },
      outer: 7,
    });
  });
});
