import { describe, expect, it } from 'vitest';
import { decide, needsOf } from '../../../shared/engine/decide.ts';
import type { Draws } from '../../../shared/engine/draft.ts';
import type { AgentAnswered, RetryRequested } from '../../../shared/engine/event.ts';
import type { MapStep, ParallelStep } from '../../../shared/engine/plan.ts';
import { type Attempt, type State, stepKey } from '../../../shared/engine/state.ts';
import {
  attempt,
  child,
  completedRun,
  draws,
  expression,
  failedRun,
  join,
  planOf,
  planStep,
  run,
  stateOf,
  stepBase,
  T0,
} from '../../support/engine-states.ts';
import { decided } from '../../support/step-cases.ts';
import { tell } from '../../support/tell-decision.ts';

/* A closed run goes on: from where it ended, at any depth, or from a step that it came by. */

const map: MapStep = {
  ...stepBase('map'),
  type: 'map',
  items: expression(() => [1, 2, 3]),
  startStep: 'first',
  maxConcurrency: 2,
  toleratedFailures: 0,
  toleratedFailurePercentage: 0,
  next: 'after',
};
const first = planStep('first', { within: 'map', depth: 1, next: 'second' });
const second = planStep('second', { within: 'map', depth: 1 });
const plan = planOf([map, first, second, planStep('after')]);

const closed = (stepExecutionId: string, given: Partial<Attempt>) =>
  attempt({ stepExecutionId, status: 'COMPLETED', completedAt: T0 - 1_000, wakeAt: null, ...given });
const container = closed('m', {
  stepId: 'map',
  status: 'FAILED',
  createdAt: T0 - 9_000,
  inputData: { items: 3 },
});
/** The first item has completed, the second failed at `second`, the third had not begun. Their outputs are not loaded. */
const items = [
  child('map#1/0', 0, { status: 'COMPLETED' }),
  child('map#1/1', 1, { status: 'FAILED', error: { code: 'BAD', message: 'no' } }),
];
const failure = { code: 'BAD', message: 'no' };
const over = join({
  path: 'map#1',
  stepId: 'map',
  stepExecutionId: 'm',
  total: 3,
  needed: 3,
  completed: 1,
  failed: 1,
  outputBytes: 5,
  isOver: true,
  failure,
});
const within = [
  closed('i0', { stepId: 'second', scope: 'map#1/0' }),
  closed('i1', { stepId: 'second', scope: 'map#1/1', status: 'FAILED', createdAt: T0 - 3_000 }),
];
const failedMap = stateOf(failedRun, [container, ...within], { joins: [over], children: items });

const asked = (given: Partial<RetryRequested> = {}): RetryRequested => ({
  type: 'retry_requested',
  ...given,
});
const retry = (state: State, given: Partial<RetryRequested> = {}, of = plan) =>
  decide(of, state, asked(given), T0, draws());
const news = (state: State) =>
  [...state.attempts.values()]
    .filter(({ stepExecutionId }) => stepExecutionId.startsWith('n-'))
    .map(({ scope, stepId, visit, attempt, status }) => `${scope}:${stepId} ${visit}.${attempt} ${status}`);

describe('a retry where a container failed', () => {
  it('opens the join again: what completed is kept, each other that began goes on from its last attempt', () => {
    const decision = retry(failedMap);
    const state = decided(decision);
    expect(news(state)).toEqual([':map 1.2 RUNNING', 'map#1/1:second 1.2 PENDING']);
    expect(state.joins.get('map#1')).toEqual({
      ...over,
      stepExecutionId: 'n-1',
      failed: 0,
      failure: null,
      isOver: false,
    });
    expect(state.children.get('map#1/1')).toEqual(child('map#1/1', 1));
    expect(tell(decision)).toMatch(/request n-2$/);
    expect(state.run).toMatchObject({ status: 'RUNNING', revisits: false });
  });

  it('a branch that had not come to its first attempt begins there', () => {
    const state = decided(retry(stateOf(failedRun, [container], { joins: [over], children: items })));
    expect(news(state)).toEqual([':map 1.2 RUNNING', 'map#1/1:first 1.1 PENDING']);
  });

  it('has its deadline anew', () => {
    const timed = { ...container, timeoutMs: 5_000 };
    const state = decided(retry(stateOf(failedRun, [timed, ...within], { joins: [over], children: items })));
    expect(state.attempts.get('n-1')).toMatchObject({ deadlineAt: T0 + 5_000, wakeAt: T0 + 5_000 });
  });

  it('at any depth', () => {
    const outer: ParallelStep = {
      ...stepBase('outer'),
      type: 'parallel',
      branches: [{ name: 'o', startStep: 'map' }],
      needed: 1,
    };
    const nested = planOf([outer, { ...map, within: 'outer', depth: 1 }, first, second, planStep('after')]);
    const path = 'outer#1/o/map#1';
    const state = stateOf(
      failedRun,
      [
        closed('p', { stepId: 'outer', status: 'FAILED' }),
        { ...container, scope: 'outer#1/o' },
        closed('i1', { stepId: 'second', scope: `${path}/1`, status: 'FAILED' }),
      ],
      {
        joins: [
          join({
            path: 'outer#1',
            stepId: 'outer',
            stepExecutionId: 'p',
            total: 1,
            needed: 1,
            started: 1,
            failed: 1,
          }),
          { ...over, path },
        ],
        children: [child('outer#1/o', 0, { status: 'FAILED' }), child(`${path}/1`, 1, { status: 'FAILED' })],
      },
    );
    expect(news(decided(retry(state, {}, nested)))).toEqual([
      ':outer 1.2 RUNNING',
      'outer#1/o:map 1.2 RUNNING',
      `${path}/1:second 1.2 PENDING`,
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['that had what it needs asks for its step', { completed: 3, failed: 0 }, /^RUNNING .*request n-1$/],
    [
      'whose children were too large together goes on with the next',
      { completed: 2, failed: 0 },
      /map#1\/2:first PENDING, request n-2$/,
    ],
  ])('%s', (_, given, expected) => {
    const joins = [{ ...over, ...given, failure: { code: 'DATA_LIMIT', message: '' } }];
    const decision = retry(stateOf(failedRun, [container], { joins }));
    expect(tell(decision)).toMatch(expected);
  });
});

describe('a retry of a map goes on with as many items at once as it lets', () => {
  const wide = planOf([
    { ...map, items: expression(() => [1, 2, 3, 4, 5]) },
    first,
    second,
    planStep('after'),
  ]);
  const scopeOf = (index: number) => `map#1/${index}`;
  /** The first completed; the others began and did not. */
  const left = [1, 2, 3, 4];
  const broken = join({ ...over, total: 5, needed: 5, started: 5, failed: 4 });
  const lasts = left.map((index) =>
    closed(`i${index}`, { stepId: 'second', scope: scopeOf(index), status: 'FAILED', createdAt: T0 - 3_000 }),
  );
  const children = [
    child(scopeOf(0), 0, { status: 'COMPLETED' }),
    ...left.map((index) => child(scopeOf(index), index, { status: 'FAILED' })).reverse(),
  ];
  const failed = stateOf(failedRun, [container, ...lasts], { joins: [broken], children });
  const resumed = decided(retry(failed, {}, wide));
  const chain = (state: State) => left.map((index) => state.children.get(scopeOf(index))?.nextWaiting);
  const drawsAfter = (prefix: string): Draws => ({ ...draws(), id: () => `${prefix}1` });
  const containerOf = (state: State) => state.attempts.get('n-1') as Attempt;
  const look = (state: State) =>
    decide(wide, state, { type: 'step_requested', stepExecutionId: 'n-1' }, T0 + 1, drawsAfter('m-'));

  it('the first of those that are left; the others wait, each after the one before', () => {
    expect(news(resumed)).toEqual([
      ':map 1.2 RUNNING',
      'map#1/1:second 1.2 PENDING',
      'map#1/2:second 1.2 PENDING',
    ]);
    expect(resumed.joins.get('map#1')).toMatchObject({
      started: 5,
      completed: 1,
      failed: 0,
      waiting: 2,
      nextWaiting: 3,
    });
    expect(chain(resumed)).toEqual([null, null, 4, null]);
  });

  it('one that goes back into an item counts it', () => {
    const given = { fromStep: 'second', fromScope: scopeOf(2) };
    const loaded = { ...failed, visits: new Map([['map#1/2\nsecond', 1]]) };
    const state = decided(retry(loaded, given, wide));
    expect(news(state)).toEqual([
      ':map 1.2 RUNNING',
      'map#1/1:second 1.2 PENDING',
      'map#1/2:second 2.1 PENDING',
    ]);
    expect(state.joins.get('map#1')).toMatchObject({ waiting: 2, nextWaiting: 3 });
  });

  it('when one has ended the step is asked, and the next goes on; then none may before another has ended', () => {
    const running = { ...resumed.attempts.get('n-2')!, status: 'RUNNING' as const };
    const going = { ...resumed, attempts: new Map([...resumed.attempts, ['n-2', running]]) };
    const answer: AgentAnswered = {
      type: 'agent_answered',
      stepExecutionId: 'n-2',
      attempt: null,
      logs: null,
      outcome: { status: 'completed', output: 1 },
    };
    const settled = decide(wide, going, answer, T0, draws());
    expect(tell(settled)).toMatch(/request n-1$/);
    const one = decided(settled);
    expect(containerOf(one).wakeAt).toBe(T0 + 30_000);
    expect(needsOf(wide, one, { type: 'step_requested', stepExecutionId: 'n-1' })).toMatchObject({
      resuming: [scopeOf(3)],
    });
    const next = decided(look(one));
    expect(next.joins.get('map#1')).toMatchObject({ completed: 2, waiting: 1, nextWaiting: 4 });
    expect(chain(next)).toEqual([null, null, null, null]);
    expect([...next.attempts.values()].at(-1)).toMatchObject({
      scope: scopeOf(3),
      stepId: 'second',
      attempt: 2,
      status: 'PENDING',
    });
    expect(containerOf(next).wakeAt).toBeNull();
    // A repeated record.
    expect(look(next)).toEqual({ ok: false, code: 'NOT_DUE' });
  });

  it('and asks itself again where more than one may', () => {
    const two = { ...resumed, joins: new Map([['map#1', { ...resumed.joins.get('map#1')!, completed: 3 }]]) };
    expect(tell(look(two))).toMatch(/request n-1$/);
  });

  it('a wake in vain leaves no further wake', () => {
    const container = { ...containerOf(resumed), wakeAt: T0 + 60_000 };
    const woken = { ...resumed, attempts: new Map([...resumed.attempts, ['n-1', container]]) };
    expect(containerOf(decided(look(woken))).wakeAt).toBeNull();
  });

  it('where a pause held it, it is asked at the resume', () => {
    const paused = { ...resumed, run: { ...resumed.run, pausedAt: T0, heldBy: 'run' as const } };
    expect(tell(decide(wide, paused, { type: 'resume_requested' }, T0, draws()))).toContain('request n-1');
  });

  it('another retry begins the chain anew', () => {
    const ended = {
      ...resumed,
      run: failedRun,
      attempts: new Map(
        [...resumed.attempts].map(([id, each]) => [
          id,
          { ...each, status: 'FAILED' as const, completedAt: T0 },
        ]),
      ),
    };
    let count = 0;
    const ids = { ...draws(), id: () => `again-${++count}` };
    const again = decided(decide(wide, ended, asked(), T0, ids));
    expect(again.joins.get('map#1')).toMatchObject({ waiting: 2, nextWaiting: 3 });
    expect(chain(again)).toEqual([null, null, 4, null]);
  });
});

describe('a retry from a step', () => {
  it('that completed at the top: another visit, and the steps after it are visited again', () => {
    const done = [closed('a', { stepId: 'map' }), closed('b', { stepId: 'after', createdAt: T0 - 2_000 })];
    const state = stateOf(completedRun, done, { visits: { after: 1 } });
    const decision = retry(state, { fromStep: 'after', inputData: { edited: 1 } });
    expect(news(decided(decision))).toEqual([':after 2.1 PENDING']);
    expect(decided(decision).attempts.get('n-1')?.inputData).toEqual({ edited: 1 });
    expect(decided(decision).run).toMatchObject({ status: 'RUNNING', outputData: null, revisits: true });
    expect(needsOf(plan, state, asked({ fromStep: 'after' }))).toMatchObject({
      visits: [{ scope: '', stepId: 'after' }],
      children: [],
    });
  });

  it('has what the step was entered with: of its scope before it, of those around before what it stands in', () => {
    const given = asked({ fromStep: 'second', fromScope: 'map#1/0' });
    expect(needsOf(plan, failedMap, given).earlier).toEqual([
      { scope: 'map#1/0', before: T0 - 5_000 },
      { scope: '', before: T0 - 9_000 },
    ]);
    const error = { code: 'OLD' };
    const loaded = {
      ...failedMap,
      variables: new Map([
        ['', { n: 9 }],
        ['map#1/0', { n: 9 }],
      ]),
      errors: new Map([['', { code: 'NEW' }]]),
      earlier: new Map([['', { variables: { n: 1 }, error }]]),
      visits: new Map([['map#1/0\nsecond', 1]]),
      gathered: new Map([['map#1', [{ child: '0', index: 0, status: 'COMPLETED' as const, output: 'out' }]]]),
    };
    const state = decided(decide(plan, loaded, given, T0, draws()));
    expect([...state.variables]).toEqual([['', { n: 1 }]]);
    expect([...state.errors]).toEqual([['', error]]);
    // Nothing that was set in the item: none. Both before what the retry opens.
    expect(state.sets).toEqual([
      { scope: 'map#1/0', since: T0, isWhole: true },
      { scope: '', since: T0 + 1, variables: { n: 1 }, error, isWhole: true },
    ]);
    expect(state.attempts.get('n-1')).toMatchObject({ stepId: 'map', createdAt: T0 + 2 });
  });

  it('where it ended has what is there', () => {
    expect(needsOf(plan, failedMap, asked()).earlier).toEqual([]);
    expect(decided(retry(failedMap)).sets).toEqual([]);
  });

  it('in an item that completed: its output counts no more, and the item goes on there', () => {
    const given = asked({ fromStep: 'second', fromScope: 'map#1/0' });
    expect(needsOf(plan, failedMap, given)).toMatchObject({
      visits: [{ scope: 'map#1/0', stepId: 'second' }],
      children: ['map#1/0'],
      gathered: ['map#1'],
      unfinishedChildren: true,
    });
    const visits = new Map([['map#1/0\nsecond', 1]]);
    const completed = { child: '0', index: 0, status: 'COMPLETED' as const, output: 'out' };
    const loaded = { ...failedMap, visits, gathered: new Map([['map#1', [completed]]]) };
    const state = decided(decide(plan, loaded, given, T0, draws()));
    expect(news(state)).toEqual([
      ':map 1.2 RUNNING',
      'map#1/1:second 1.2 PENDING',
      'map#1/0:second 2.1 PENDING',
    ]);
    expect(state.joins.get('map#1')).toMatchObject({
      completed: 0,
      failed: 0,
      outputBytes: 0,
      isOver: false,
    });
    expect(state.children.get('map#1/0')).toEqual(child('map#1/0', 0));
  });

  it('without a scope is the latest that it ran in', () => {
    const state = decided(retry(failedMap, { fromStep: 'second' }));
    expect(news(state)).toEqual([':map 1.2 RUNNING', 'map#1/1:second 1.1 PENDING']);
  });

  it('in a branch of a join that has enough without it begins no other', () => {
    const joins = [{ ...over, completed: 2, needed: 1, failed: 0, failure: null }];
    const children = [...items.slice(0, 1), child('map#1/1', 1)];
    const state = stateOf(failedRun, [container, ...within], { joins, children });
    const decision = retry(state, { fromStep: 'second', fromScope: 'map#1/0' });
    expect(news(decided(decision))).toEqual([':map 1.2 RUNNING', 'map#1/0:second 1.1 PENDING']);
  });

  it.each<[string, State, Partial<RetryRequested>, string]>([
    ['it never came to', failedMap, { fromStep: 'after' }, 'STEP_NOT_REACHED'],
    ['that its workflow does not have', failedMap, { fromStep: 'nowhere' }, 'STEP_NOT_REACHED'],
    [
      'in a scope that it did not run in',
      failedMap,
      { fromStep: 'second', fromScope: 'map#1/2' },
      'STEP_NOT_REACHED',
    ],
    ['that takes no input, with one', failedMap, { fromStep: 'map', inputData: {} }, 'INPUT_NOT_TAKEN'],
    ['of an open run', stateOf(run(), [container]), { fromStep: 'map' }, 'RUN_OPEN'],
  ])('%s is refused', (_, state, given, code) => {
    expect(retry(state, given)).toEqual({ ok: false, code });
  });

  it('and where it ended, with an input that is not taken there', () => {
    expect(retry(failedMap, { inputData: { edited: 1 } })).toEqual({ ok: false, code: 'INPUT_NOT_TAKEN' });
    const failed = stateOf(failedRun, [closed('a', { stepId: 'after', status: 'FAILED' })]);
    const state = decided(retry(failed, { inputData: { edited: 1 } }));
    expect(state.attempts.get('n-1')).toMatchObject({
      stepId: 'after',
      attempt: 2,
      inputData: { edited: 1 },
    });
  });
});

describe("a run's time", () => {
  const timed = { ...plan, timeoutMs: 60_000 };

  it('begins anew with a retry', () => {
    expect(decided(retry(failedMap, {}, timed)).run).toMatchObject({
      timeoutAt: T0 + 60_000,
      wakeAt: T0 + 60_000,
    });
  });

  it('that is over while it is paused ends it when it is resumed', () => {
    const paused = run({ pausedAt: T0 - 5_000, timeoutAt: T0 - 1, wakeAt: T0 + 60_000 });
    const resumed = decided(decide(timed, stateOf(paused), { type: 'resume_requested' }, T0, draws()));
    expect(resumed.run.wakeAt).toBe(T0);
    const woken = decided(
      decide(timed, resumed, { type: 'woken', stepExecutionId: null, at: T0 }, T0, draws()),
    );
    expect(woken.run).toMatchObject({
      status: 'FAILED',
      error: {
        code: 'TIMEOUT',
        message: 'The run did not end by 2026-01-15T10:29:59.999Z: its limit is 60000 ms',
        stepId: null,
      },
    });
  });

  it('of a run whose steps have a child cancels that', () => {
    const child = attempt({ childRunId: 'run-child', stepId: 'call' });
    const call = { ...stepBase('call'), type: 'workflow' as const, workflow: { name: 'w', version: null } };
    const step = { ...call, input: expression(() => null), waits: true };
    const state = stateOf(run({ timeoutAt: T0, wakeAt: T0 }), [child]);
    const event = { type: 'woken', stepExecutionId: null, at: T0 } as const;
    expect(tell(decide(planOf([step]), state, event, T0, draws()))).toContain('cancel run-child');
  });
});

describe('a retry with another version', () => {
  const steps = planOf([planStep('a', { next: 'c' }), planStep('c', { next: 'b' }), planStep('b')]);
  const state = stateOf(failedRun, [
    closed('a-1', { stepId: 'a', createdAt: T0 - 9_000 }),
    closed('a-2', { stepId: 'b', createdAt: T0 - 8_000 }),
    closed('a-3', { stepId: 'c', status: 'CANCELLED', createdAt: T0 - 7_000 }),
  ]);

  it.each([
    [true, 2],
    [false, 1],
  ])('whose order may be another (%s) counts the visits of what follows', (changesVersion, visit) => {
    const again = decided(retry(state, { changesVersion }, steps));
    expect(again.run.revisits).toBe(changesVersion);
    const opened = again.attempts.get('n-1')!;
    expect(opened).toMatchObject({ stepId: 'c', visit: 1, attempt: 2 });
    const started = {
      ...again,
      attempts: new Map([['n-1', { ...opened, status: 'RUNNING' as const }]]),
      visits: new Map(changesVersion ? [[stepKey('', 'b'), 1]] : []),
    };
    const answer = {
      type: 'agent_answered',
      stepExecutionId: 'n-1',
      attempt: null,
      outcome: { status: 'completed', output: null },
      logs: null,
    } as const;
    const ids = { id: () => 'next', jitter: () => 0 };
    const { attempts } = decided(decide(steps, started, answer, T0, ids));
    expect(attempts.get('next')).toMatchObject({ stepId: 'b', visit });
    expect(needsOf(steps, started, answer).visits).toEqual(
      changesVersion ? [{ scope: '', stepId: 'b' }] : [],
    );
  });
});
