import { describe, expect, it } from 'vitest';
import { decide, needsOf } from '../../../../shared/engine/decide.ts';
import type { EngineEvent } from '../../../../shared/engine/event.ts';
import type { MapStep, ParallelStep, PlanStep } from '../../../../shared/engine/plan.ts';
import type { GatheredChild } from '../../../../shared/engine/state.ts';
import {
  attempt,
  broken,
  child,
  draws,
  expression,
  join,
  planOf,
  planStep,
  policy,
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
import { tell } from '../../../support/tell-decision.ts';

/* Parallel and map steps. Children are agents `in`; the container is the attempt `a-1` of `it`, its children's are `c-…`. */

const inner = planStep('in', { within: 'it', depth: 1, retry: [] });
const parallel: ParallelStep = {
  ...stepBase('it'),
  type: 'parallel',
  branches: ['a', 'b'].map((name) => ({ name, startStep: 'in' })),
  needed: 2,
  next: 'then',
};
const map: MapStep = {
  ...stepBase('it'),
  type: 'map',
  items: expression(() => ['x', 'y', 'z']),
  startStep: 'in',
  maxConcurrency: 2,
  toleratedFailures: 0,
  toleratedFailurePercentage: 0,
  next: 'then',
};
const open = (at: string | number) =>
  attempt({ stepExecutionId: `c-${at}`, stepId: 'in', scope: `it#1/${at}`, createdAt: T0 - 4_000 });
const answer = (at: string | number, isGood = true): EngineEvent => ({
  ...(isGood ? events.completed : events.failed),
  stepExecutionId: `c-${at}`,
});
const gathered = (...all: (Partial<GatheredChild> & { child: string })[]) => ({
  gathered: new Map([
    [
      'it#1',
      all.map((each, index) => ({ index, status: 'COMPLETED' as const, output: each.child, ...each })),
    ],
  ]),
});
const isOver = join({ isOver: true, completed: 2 });
const both = gathered({ child: 'a' }, { child: 'b' });

const COMPLETE =
  'RUNNING | it#1 COMPLETED, then#1 PENDING | update RUNNING it COMPLETED, update RUNNING then PENDING, request n-1';
const states = {
  requested: { attempt: requested() },
  'requested, paused': { attempt: requested(), run: paused },
  'under way': { attempt: running(), data: { joins: [join()] } },
  'under way, paused': { attempt: running(), data: { joins: [join()] }, run: paused },
  over: { attempt: running(), data: { joins: [isOver], ...both } },
  'over, paused': { attempt: running(), data: { joins: [isOver], ...both }, run: paused },
  'over, failed': {
    attempt: running(),
    data: { joins: [join({ isOver: true, failed: 1, failure: { code: 'BAD', message: 'no' } })], ...both },
    beside: [open('b')],
  },
  'over, past its deadline': { attempt: overdue(), data: { joins: [isOver], ...both } },
  'past its deadline': { attempt: overdue(), data: { joins: [join()] }, beside: [open('a')] },
  COMPLETED: { attempt: settled('COMPLETED') },
} satisfies Record<string, StepCase>;

const START =
  'RUNNING | it#1 RUNNING, it#1/a:in#1 PENDING, it#1/b:in#1 PENDING | update RUNNING it RUNNING, update RUNNING it#1/a:in PENDING, request n-1, update RUNNING it#1/b:in PENDING, request n-2';
const FAIL_WITHIN = (code: string) =>
  `FAILED | it#1 FAILED, it#1/${code}:in#1 CANCELLED | update RUNNING it#1/${code}:in CANCELLED, update RUNNING it FAILED, update FAILED`;
const table: Record<keyof typeof states, Partial<Record<keyof typeof events, string>>> = {
  requested: { requested: START, woken: START, completed: 'ATTEMPT_NOT_STARTED' },
  'requested, paused': { requested: 'RUN_PAUSED', woken: 'RUN_PAUSED' },
  'under way': { ...UNTOUCHED, ...NOBODY_ASKED, requested: 'NOT_DUE', woken: 'NOT_DUE' },
  'under way, paused': { ...UNTOUCHED_PAUSED, ...NOBODY_ASKED },
  over: { ...UNTOUCHED, ...NOBODY_ASKED, requested: COMPLETE, woken: COMPLETE },
  'over, paused': { ...UNTOUCHED_PAUSED, resumed: 'RUNNING | it#1 RUNNING | update RUNNING, request a-1' },
  'over, failed': { requested: FAIL_WITHIN('b'), woken: FAIL_WITHIN('b') },
  'over, past its deadline': { requested: COMPLETE, woken: COMPLETE },
  'past its deadline': { requested: 'NOT_DUE', woken: FAIL_WITHIN('a') },
  COMPLETED: SETTLED,
};

describe('a parallel step', () => {
  it.each(rowsOf(table))('$state × $event → $expected', ({ state, event, expected }) => {
    expect(tellStep([parallel, inner], states[state], events[event])).toBe(expected);
  });

  it('opens a join over its branches, with its deadline', () => {
    const state = decided(
      decideStep([parallel, inner], { attempt: requested({ timeoutMs: 9_000 }) }, events.requested),
    );
    expect(state.joins.get('it#1')).toEqual(join());
    expect([...state.children.values()]).toEqual([child('it#1/a', 0), child('it#1/b', 1)]);
    expect(state.attempts.get('a-1')).toMatchObject({ deadlineAt: T0 + 9_000, wakeAt: T0 + 9_000 });
  });

  it('has the outputs of the branches that completed, by name', () => {
    const data = {
      joins: [isOver],
      ...gathered({ child: 'a', output: 1 }, { child: 'b', status: 'PENDING' }),
    };
    const state = decided(decideStep([parallel, inner], { attempt: running(), data }, events.requested));
    expect(state.attempts.get('a-1')?.outputData).toEqual({ a: 1 });
  });

  it('is tried again by its policy in scopes of its own', () => {
    const retried = { ...parallel, retry: [policy()] };
    const given = { ...states['over, failed'], data: { ...states['over, failed'].data, visits: { it: 1 } } };
    const state = decided(decideStep([retried, inner], given, events.requested));
    expect(state.attempts.get('n-1')).toMatchObject({
      visit: 2,
      attempt: 1,
      policyAttempt: 2,
      status: 'PENDING',
    });
  });

  it('past its deadline says TIMEOUT, which may be caught', () => {
    const catching = { ...parallel, catch: [{ codes: ['TIMEOUT'], next: 'handler' }] };
    expect(tellStep([catching, inner], states['past its deadline'], events.woken)).toContain(
      'handler#1 PENDING',
    );
  });
});

describe('the end of a branch', () => {
  const underWay = (given = {}, step: Partial<ParallelStep> = {}) => {
    const plan = planOf([{ ...parallel, ...step }, inner, planStep('then')]);
    const children = [child('it#1/a', 0), child('it#1/b', 1)];
    return {
      plan,
      state: stateOf(run(), [running(), open('a'), open('b')], { joins: [join(given)], children }),
    };
  };
  const stateAfter = ({ plan, state }: ReturnType<typeof underWay>, event: EngineEvent) =>
    decided(decide(plan, state, event, T0, draws()));

  it('is counted, with its output', () => {
    const state = stateAfter(underWay(), answer('a'));
    expect(state.joins.get('it#1')).toEqual(join({ completed: 1, outputBytes: 5 }));
    expect(state.children.get('it#1/a')).toEqual(child('it#1/a', 0, { status: 'COMPLETED', output: 'out' }));
  });

  it.each<[string, object, object, boolean, object]>([
    ['the last of all', { completed: 1 }, {}, true, { completed: 2, isOver: true, failure: null }],
    ['the first of wait_for: any', { needed: 1, tolerated: 1 }, {}, true, { completed: 1, isOver: true }],
    ['one that failed', {}, {}, false, { failed: 1, isOver: true, failure: { code: 'BAD', message: 'no' } }],
    [
      'one that failed of any',
      { needed: 1, tolerated: 1 },
      {},
      false,
      { failed: 1, isOver: false, failure: null },
    ],
    [
      'one too many that failed',
      { needed: 1, tolerated: 1, failed: 1 },
      {},
      false,
      { failed: 2, isOver: true, failure: { code: 'BAD', message: 'no' } },
    ],
    [
      'one too many that failed of a number',
      { total: 3, needed: 2, tolerated: 1, failed: 1, completed: 1 },
      {},
      false,
      { failed: 2, isOver: true, failure: { code: 'BAD', message: 'no' } },
    ],
    [
      'after it was over: the count only',
      { isOver: true, completed: 1 },
      {},
      false,
      { failed: 1, failure: null },
    ],
    ['too large together', { outputBytes: 196 }, {}, true, { isOver: true, failure: { code: 'DATA_LIMIT' } }],
  ])('%s', (_, given, step, isGood, expected) => {
    const state = stateAfter(underWay(given, step), answer('a', isGood));
    expect(state.joins.get('it#1')).toMatchObject(expected);
  });

  it('that makes the join over asks for the container, once', () => {
    const over = underWay({ completed: 1 });
    expect(tell(decide(over.plan, over.state, answer('a'), T0, draws()))).toMatch(/, request a-1$/);
    const late = underWay({ isOver: true, completed: 1 });
    expect(tell(decide(late.plan, late.state, answer('a'), T0, draws()))).not.toContain('request');
  });

  it('while paused asks for nothing; resuming does', () => {
    const { plan, state } = underWay({ completed: 1 });
    const held = stateAfter({ plan, state: { ...state, run: run(paused) } }, answer('a'));
    expect(held.joins.get('it#1')?.isOver).toBe(true);
    expect(tell(decide(plan, held, events.resumed, T0, draws()))).toMatch(/update RUNNING, request a-1$/);
  });

  it('its outputs are gathered where the join was over before, not by the batch that ends it', () => {
    const { plan, state } = underWay({ completed: 1 });
    expect(needsOf(plan, state, events.woken)).toMatchObject({ gathered: [], openWithin: ['it#1'] });
    const over = stateAfter({ plan, state }, answer('a'));
    expect(needsOf(plan, over, events.requested)).toMatchObject({ gathered: ['it#1'], openWithin: ['it#1'] });
  });

  it('in a container inside another ends that one only', () => {
    const outer: PlanStep = {
      ...parallel,
      id: 'outer',
      branches: [{ name: 'o', startStep: 'it' }],
      needed: 1,
    };
    const nested = { ...parallel, within: 'outer', depth: 1, next: null };
    const plan = planOf([outer, nested, { ...inner, depth: 2 }, planStep('then')]);
    const container = running({ scope: 'outer#1/o' });
    const path = 'outer#1/o/it#1';
    const data = {
      joins: [
        join({ path: 'outer#1', stepId: 'outer', stepExecutionId: 'a-0', total: 1, needed: 1 }),
        join({ path, isOver: true, completed: 2 }),
      ],
      children: [child('outer#1/o', 0)],
      gathered: new Map([[path, [{ child: 'a', index: 0, status: 'COMPLETED' as const, output: 1 }]]]),
    };
    const state = stateOf(run(), [running({ stepExecutionId: 'a-0', stepId: 'outer' }), container], data);
    expect(tell(decide(plan, state, events.requested, T0, draws()))).toBe(
      'RUNNING | outer#1 RUNNING, outer#1/o:it#1 COMPLETED | update RUNNING outer#1/o:it COMPLETED, request a-0',
    );
  });
});

describe('a map step', () => {
  const start = (given: Partial<MapStep> = {}, settings = {}) =>
    decideStep([{ ...map, ...given }, inner], { attempt: requested(), settings }, events.requested);

  it('begins as many items as may be under way', () => {
    const state = decided(start());
    expect(state.joins.get('it#1')).toEqual(join({ total: 3, needed: 3, started: 2 }));
    expect([...state.children.values()].map(({ scope, input }) => [scope, input])).toEqual([
      ['it#1/0', 'x'],
      ['it#1/1', 'y'],
      ['it#1/2', 'z'],
    ]);
    expect(state.attempts.get('a-1')?.inputData).toEqual({ items: 3 });
    expect([...state.attempts.values()].map(({ scope }) => scope)).toEqual(['', 'it#1/0', 'it#1/1']);
    // Items count apart.
    expect(state.run.stepsStarted).toBe(1);
  });

  it('gives an item and its index to its steps', () => {
    const seeing = {
      ...inner,
      input: expression(({ item, index }) => ({ item: item ?? null, index: index ?? null })),
    };
    const reading = { ...seeing, reads: { ...inner.reads, item: true } };
    const at = requested({ stepExecutionId: 'c-1', stepId: 'in', scope: 'it#1/1' });
    const data = { joins: [join()], children: [child('it#1/1', 1, { input: 'y' })] };
    const event = { ...events.requested, stepExecutionId: 'c-1' };
    const state = decided(decideStep([map, reading], { attempt: running(), beside: [at], data }, event));
    expect(state.attempts.get('c-1')?.inputData).toEqual({ item: 'y', index: 1 });
  });

  it.each<[string, Partial<MapStep>, object, string]>([
    ['EXPRESSION_ERROR', { items: expression(() => ({ no: 'list' })) }, {}, 'are no array'],
    ['EXPRESSION_ERROR', { items: broken }, {}, 'it is broken'],
    ['DATA_LIMIT', {}, { maxMapItems: 2 }, '3 items; the limit is 2'],
    ['DATA_LIMIT', { items: expression(() => ['x'.repeat(200)]) }, {}, '200 bytes'],
  ])('%s: %#', (code, given, settings, text) => {
    const state = decided(start(given, settings));
    expect(state.run.error).toMatchObject({ code, stepId: 'it' });
    expect(state.run.error?.message).toContain(text);
    const caught = decided(start({ ...given, catch: [{ codes: [code], next: 'handler' }] }, settings));
    expect([...caught.attempts.values()].at(-1)).toMatchObject({ stepId: 'handler', status: 'PENDING' });
  });

  it('of no items completes with none', () => {
    expect(decided(start({ items: expression(() => []) })).attempts.get('a-1')).toMatchObject({
      status: 'COMPLETED',
      outputData: [],
    });
  });

  const underWay = (given = {}, children = [0, 1, 2].map((i) => child(`it#1/${i}`, i))) => ({
    attempt: running(),
    beside: [open(0), open(1)],
    data: { joins: [join({ total: 3, needed: 3, started: 2, ...given })], children },
  });

  it.each([
    ['completed', true, { completed: 1, started: 3 }],
    ['failed, which is tolerated', false, { failed: 1, started: 3, isOver: false }],
  ])('begins the next item where one %s', (_, isGood, expected) => {
    const decision = decideStep([map, inner], underWay({ tolerated: 1 }), answer(0, isGood));
    expect(decided(decision).joins.get('it#1')).toMatchObject(expected);
    expect(tell(decision)).toMatch(/update RUNNING it#1\/2:in PENDING, request n-1$/);
  });

  it.each([
    [0, 1, { code: 'BAD', message: 'no' }],
    [
      1,
      2,
      {
        code: 'TOLERATED_FAILURES_EXCEEDED',
        message: '2 failed, 1 are tolerated; the last: BAD: no',
      },
    ],
  ])('where %i may fail, failure %i fails it', (tolerated, failed, failure) => {
    const given = underWay({ tolerated, failed: failed - 1 });
    expect(decided(decideStep([map, inner], given, answer(0, false))).joins.get('it#1')).toMatchObject({
      failed,
      isOver: true,
      failure,
    });
  });

  it('begins no further item once it is over', () => {
    const decision = decideStep([map, inner], underWay(), answer(0, false));
    expect(decided(decision).joins.get('it#1')).toMatchObject({ started: 2, isOver: true });
    expect(tell(decision)).toMatch(/FAILED, request a-1$/);
  });

  it.each([
    [0, 0, 0],
    [1, 0, 1],
    [0, 34, 1],
    [0, 33, 0],
    [2, 34, 2],
    [0, 100, 3],
  ])('tolerates %i or %i %% of 3: %i', (toleratedFailures, toleratedFailurePercentage, expected) => {
    const state = decided(start({ toleratedFailures, toleratedFailurePercentage }));
    expect(state.joins.get('it#1')?.tolerated).toBe(expected);
  });

  it('tolerates 69 of 375 by 18.4 %, as it is written', () => {
    const items = expression(() => Array.from({ length: 375 }, () => 0));
    const settings = { maxPayloadBytes: 1_000 };
    const state = decided(start({ items, toleratedFailurePercentage: 18.4 }, settings));
    expect(state.joins.get('it#1')?.tolerated).toBe(69);
  });

  it('has the outputs in item order, null where an item failed', () => {
    const data = {
      joins: [join({ isOver: true, completed: 2, failed: 1, total: 3, tolerated: 1 })],
      ...gathered({ child: '0', output: 'x' }, { child: '1', status: 'FAILED' }, { child: '2', output: 'z' }),
    };
    const state = decided(decideStep([map, inner], { attempt: running(), data }, events.requested));
    expect(state.attempts.get('a-1')?.outputData).toEqual(['x', null, 'z']);
  });

  it('STEP_LIMIT: an item counts the visits of its own', () => {
    const at = requested({ stepExecutionId: 'c-1', stepId: 'in', scope: 'it#1/1', visit: 21 });
    const data = { joins: [join()], children: [child('it#1/1', 1)] };
    const given = { attempt: running(), beside: [at], data, settings: { maxStepsPerRun: 20 } };
    const event = { ...events.requested, stepExecutionId: 'c-1' };
    const catching = { ...inner, catch: [{ codes: null, next: 'handler' }] };
    expect(decided(decideStep([map, inner], given, event)).joins.get('it#1')?.failure?.code).toBe(
      'STEP_LIMIT',
    );
    expect(tellStep([map, catching], given, event)).toContain('it#1/1:handler#1 PENDING');
    const beyond = { ...given, beside: [{ ...at, visit: 121 }] };
    expect(tellStep([map, catching], beyond, event)).not.toContain('handler');
  });
});
