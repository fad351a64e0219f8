import { describe, expect, it } from 'vitest';
import { decide } from '../../../../shared/engine/decide.ts';
import type { ChildWorkflowStep } from '../../../../shared/engine/plan.ts';
import { type Run, workflowKey } from '../../../../shared/engine/state.ts';
import {
  broken,
  draws,
  expression,
  failedRun,
  type GivenData,
  planOf,
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

const step: ChildWorkflowStep = {
  ...stepBase('it'),
  type: 'workflow',
  workflow: { name: 'other', version: null },
  input: expression(({ workflowInput }) => ({ given: workflowInput })),
  waits: true,
  next: 'then',
};
const found = { workflowId: 'wf-other-2', versionId: 'v-2', name: 'other', version: 2 };
const data = { workflows: new Map([[workflowKey('other', null), found]]) };
const child = { childRunId: 'run-child', dueAt: T0 + 1_000 };

const START = 'RUNNING | it#1 RUNNING | start other, update RUNNING it RUNNING';
const GO_ON =
  'RUNNING | it#1 COMPLETED, then#1 RUNNING | update RUNNING it COMPLETED, update RUNNING then RUNNING, task then#1';
const FAIL = 'FAILED | it#1 FAILED | update RUNNING it FAILED, update FAILED';
const CANCEL =
  'CANCELLED | it#1 CANCELLED | update RUNNING it CANCELLED, cancel run-child, update CANCELLED, announce cancellation';
const ASK = 'RUNNING | it#1 RUNNING | update RUNNING it RUNNING, ask run-child for a-1';
const states = {
  requested: { attempt: requested(), data },
  'requested, paused': { attempt: requested(), data, run: paused },
  'requested, there is no such workflow': {
    attempt: requested(),
    data: { workflows: new Map([['latest other', null]]) },
  },
  RUNNING: { attempt: running(child) },
  'RUNNING, paused': { attempt: running(child), run: paused },
  'past its deadline': { attempt: overdue(child) },
  'not asked for long': { attempt: running({ ...child, dueAt: T0 }) },
  // As an earlier version left it.
  'never to be asked': { attempt: running({ ...child, dueAt: null }) },
  COMPLETED: { attempt: settled('COMPLETED') },
} satisfies Record<string, StepCase>;

const table: Record<keyof typeof states, Partial<Record<keyof typeof events, string>>> = {
  requested: {
    requested: START,
    woken: START,
    completed: 'ATTEMPT_NOT_STARTED',
    failed: 'ATTEMPT_NOT_STARTED',
  },
  'requested, paused': { requested: 'RUN_PAUSED', woken: 'RUN_PAUSED' },
  'requested, there is no such workflow': { requested: FAIL },
  RUNNING: {
    ...UNTOUCHED,
    requested: 'ATTEMPT_STARTED',
    woken: 'NOT_DUE',
    completed: GO_ON,
    failed: FAIL,
    cancelled: CANCEL,
  },
  'RUNNING, paused': {
    ...UNTOUCHED_PAUSED,
    completed:
      'RUNNING paused | it#1 COMPLETED, then#1 PENDING | update PAUSED it COMPLETED, update PAUSED then PENDING',
    cancelled: CANCEL.replace('RUNNING', 'PAUSED'),
  },
  'past its deadline': {
    completed: GO_ON,
    woken: 'FAILED | it#1 FAILED | cancel run-child, update RUNNING it FAILED, update FAILED',
  },
  'not asked for long': { woken: ASK },
  'never to be asked': { woken: ASK },
  COMPLETED: SETTLED,
};

describe('a workflow step', () => {
  it.each(rowsOf(table))('$state × $event → $expected', ({ state, event, expected }) => {
    expect(tellStep([step], states[state], events[event])).toBe(expected);
  });

  it('starts a run with its input, one deeper, that answers its attempt', () => {
    const decision = decideStep([step], { ...states.requested, run: { depth: 2 } }, events.requested);
    expect(decision).toMatchObject({
      effects: [
        {
          type: 'start_child',
          childRunId: 'run-n-1',
          workflow: found,
          inputData: { given: 'in' },
          depth: 3,
          parentStepExecutionId: 'a-1',
        },
        { type: 'publish_update' },
      ],
    });
    expect(decided(decision).attempts.get('a-1')).toMatchObject({
      status: 'RUNNING',
      childRunId: 'run-n-1',
      inputData: { given: 'in' },
      dueAt: T0 + 30_000,
      wakeAt: T0 + 30_000,
    });
  });

  it.each([
    ['at first after the time in which a record is picked up', 0, null, T0 + 30_000, T0 + 30_000],
    ['after as long again as it has waited', 300, null, T0 + 300_000, T0 + 300_000],
    ['at least once an hour', 86_400, null, T0 + 3_600_000, T0 + 3_600_000],
    ['and it looks at its deadline before, where that is earlier', 300, 2_000, T0 + 300_000, T0 + 2_000],
  ])('I7: asks its child whether it has ended: %s', (_, waitedSeconds, deadlineInMs, dueAt, wakeAt) => {
    const attempt = running({
      ...child,
      dueAt: T0,
      startedAt: T0 - waitedSeconds * 1_000,
      deadlineAt: deadlineInMs === null ? null : T0 + deadlineInMs,
    });
    const decision = decideStep([step], { attempt }, events.woken);
    expect(decided(decision).attempts.get('a-1')).toMatchObject({ status: 'RUNNING', dueAt, wakeAt });
    expect(decision).toMatchObject({
      effects: [{}, { type: 'ask_child', childRunId: 'run-child', stepExecutionId: 'a-1' }],
    });
  });

  it('that does not wait completes with the run that it started', () => {
    const decision = decideStep([{ ...step, waits: false }], states.requested, events.requested);
    expect(tell(decision)).toBe(
      'RUNNING | it#1 COMPLETED, then#1 PENDING | start other, update RUNNING it COMPLETED, update RUNNING then PENDING, request n-2',
    );
    expect(decision).toMatchObject({ effects: [{ parentStepExecutionId: null }, {}, {}, {}] });
    expect(decided(decision).attempts.get('a-1')?.outputData).toEqual({ run_id: 'run-n-1' });
  });

  it.each<[string, Partial<ChildWorkflowStep>, StepCase, string]>([
    ['WORKFLOW_NOT_FOUND', {}, states['requested, there is no such workflow'], 'no workflow "other"'],
    ['WORKFLOW_NOT_FOUND', { workflow: { name: 'other', version: 7 } }, states.requested, 'with a version 7'],
    ['NESTING_LIMIT', {}, { ...states.requested, run: { depth: 10 } }, '11 deep; the limit is 10'],
    ['EXPRESSION_ERROR', { input: broken }, states.requested, 'it is broken'],
    ['DATA_LIMIT', { input: expression(() => 'x'.repeat(199)) }, states.requested, '200 bytes'],
  ])('%s: nothing is started, and it may be caught', (code, given, at, text) => {
    const decision = decideStep([{ ...step, ...given }], at, events.requested);
    expect(decided(decision).run.error).toMatchObject({ code, stepId: 'it' });
    expect(decided(decision).run.error?.message).toContain(text);
    expect(tell(decision)).not.toContain('start');
    const catching = { ...step, ...given, catch: [{ codes: [code], next: 'handler' }] };
    expect(tellStep([catching], at, events.requested)).toContain('handler#1 PENDING');
  });

  it('is tried again by its policy with a child of its own, on the input that it had', () => {
    const retry = [policy()];
    const failed = decided(
      decideStep(
        [{ ...step, retry }],
        { attempt: running({ ...child, inputData: { given: 'once' } }) },
        events.failed,
      ),
    );
    expect(failed.attempts.get('n-1')).toMatchObject({
      attempt: 2,
      inputData: { given: 'once' },
      childRunId: null,
    });
  });
});

describe('a retry of a run whose child failed', () => {
  const plan = planOf([step]);
  const retry = (given: object) =>
    decide(
      plan,
      stateOf(failedRun, [{ ...settled('FAILED'), ...child, ...given }]),
      { type: 'retry_requested' },
      T0,
      draws(),
    );

  it('lets the child go on, and waits for it', () => {
    expect(tell(retry({}))).toBe(
      'RUNNING | it#1 FAILED, it#2 RUNNING | update RUNNING, update RUNNING it RUNNING, retry run-child for n-1',
    );
  });

  it('also where the time that it had was not over', () => {
    expect(tell(retry({ deadlineAt: T0 }))).toContain('retry run-child');
  });

  it.each([
    ['was cancelled at the deadline', { deadlineAt: T0 - 1_000 }],
    ['was cancelled with it', { status: 'CANCELLED' }],
    ['was never started', { childRunId: null }],
  ])('starts another where the child %s', (_, given) => {
    expect(tell(retry(given))).toMatch(/it#2 PENDING .*request n-1$/);
  });
});

describe('a child that is asked to go on', () => {
  const parent = { runId: 'run-parent', stepExecutionId: 'p-1' };
  const asked = { type: 'retry_requested', parentStepExecutionId: 'p-2' } as const;
  const plan = planOf([step]);
  const failed = [settled('FAILED')];
  const answersNow = { runId: 'run-parent', stepExecutionId: 'p-2' };
  const parentAttempt = running({ ...child, stepExecutionId: 'p-2' });
  const waiting = { parentAttempt };

  it('goes on for the attempt that waits now', () => {
    const before = stateOf({ ...failedRun, parent }, failed, waiting);
    const state = decided(decide(plan, before, asked, T0, draws()));
    expect(state.run).toMatchObject({ status: 'RUNNING', parent: answersNow });
  });

  it('that is going on already answers the attempt that waits now', () => {
    const decision = decide(plan, stateOf(run({ parent }), [running(child)], waiting), asked, T0, draws());
    expect(tell(decision)).toBe('RUNNING | it#1 RUNNING | update RUNNING');
    expect(decided(decision).run.parent).toEqual(answersNow);
  });

  it('that has completed answers again', () => {
    const completed = { ...failedRun, status: 'COMPLETED', error: null, parent } as const;
    const state = stateOf(completed, [settled('COMPLETED')], { ...waiting, outputs: { it: { n: 1 } } });
    const decision = decide(plan, state, asked, T0, draws());
    expect(decision).toMatchObject({
      effects: [
        { type: 'answer_parent', ...answersNow, outcome: { output: { n: 1 } } },
        { type: 'publish_update' },
      ],
    });
    expect(decided(decision).run).toMatchObject({ status: 'COMPLETED', outputData: { n: 1 } });
  });

  it.each<[string, object]>([
    ['was cancelled meanwhile', { parentAttempt: { ...parentAttempt, status: 'CANCELLED' } }],
    ['had its time meanwhile', { parentAttempt: { ...parentAttempt, status: 'FAILED' } }],
    ['is not there', {}],
  ])('stays closed where the attempt that asked %s: it would run for nobody', (_, data) => {
    expect(decide(plan, stateOf({ ...failedRun, parent }, failed, data), asked, T0, draws())).toEqual({
      ok: false,
      code: 'PARENT_NOT_WAITING',
    });
  });

  it('is cancelled by what its parent asked for after that, however late it went on', () => {
    const before = stateOf({ ...failedRun, parent }, failed, waiting);
    const retried = decided(decide(plan, before, { ...asked, requestedAt: T0 - 500 }, T0, draws()));
    expect(retried.run.retriedAt).toBe(T0 - 500);
    const cancel = { type: 'cancellation_requested', by: null, reason: null, announced: true } as const;
    const at = (requestedAt: number) => tell(decide(plan, retried, { ...cancel, requestedAt }, T0, draws()));
    expect(at(T0 - 499)).toMatch(/^CANCELLED/);
    expect(at(T0 - 500)).toBe('CANCELLATION_OUTDATED');
  });

  it('is told so later than its parent asked it to go on, whatever the clocks', () => {
    const attempt = running({ ...child, createdAt: T0 + 700 });
    const cancel = { type: 'cancellation_requested', by: 'ann', reason: null } as const;
    expect(decide(plan, stateOf(run(), [attempt]), cancel, T0, draws())).toMatchObject({
      effects: [{}, { type: 'cancel_child', requestedAt: T0 + 701 }, {}, {}],
    });
  });

  it('has a time at which it is asked whether it has ended', () => {
    const state = decided(
      decide(
        plan,
        stateOf(failedRun, [{ ...settled('FAILED'), ...child }]),
        { type: 'retry_requested' },
        T0,
        draws(),
      ),
    );
    expect(state.attempts.get('n-1')).toMatchObject({ dueAt: T0 + 30_000, wakeAt: T0 + 30_000 });
  });

  it('I4: stays closed where the same attempt asked before', () => {
    const again = { ...failedRun, parent: answersNow };
    expect(decide(plan, stateOf(again, failed), asked, T0, draws())).toEqual({
      ok: false,
      code: 'RUN_CLOSED',
    });
    const open = run({ parent: answersNow });
    expect(decide(plan, stateOf(open), asked, T0, draws())).toEqual({ ok: false, code: 'RUN_OPEN' });
  });

  it('I4: stays closed where the record is of a retry before the last', () => {
    const late = { ...asked, previousParentStepExecutionId: 'p-0' };
    const state = stateOf({ ...failedRun, parent }, failed, waiting);
    expect(decide(plan, state, late, T0, draws())).toEqual({ ok: false, code: 'RUN_CLOSED' });
    const open = stateOf(run({ parent }));
    expect(decide(plan, open, late, T0, draws())).toEqual({ ok: false, code: 'RUN_OPEN' });
    const inTurn = { ...asked, previousParentStepExecutionId: 'p-1' };
    expect(decided(decide(plan, state, inTurn, T0, draws())).run.parent).toEqual(answersNow);
  });

  it.each([
    ['completes', events.completed, 'answer run-parent with an output'],
    ['fails', events.failed, 'answer run-parent BAD'],
    ['is cancelled', events.cancelled, 'answer run-parent CANCELLED'],
  ])('tells its parent when it %s', (_, event, expected) => {
    const last = { ...step, next: null };
    expect(tellStep([last], { attempt: running(), run: { parent } }, event)).toContain(expected);
  });

  it.each([
    ['that failed may be tried again, whatever its step said', events.failed, 'BAD', true],
    ['that was cancelled may not', events.cancelled, 'CANCELLED', false],
  ])('%s', (_, event, code, retryable) => {
    const last = { ...step, next: null };
    const decision = decideStep([last], { attempt: running(), run: { parent } }, event);
    expect(decision).toMatchObject({
      effects: expect.arrayContaining([
        expect.objectContaining({
          type: 'answer_parent',
          outcome: { error: expect.objectContaining({ code, retryable }) },
        }),
      ]),
    });
  });
});

describe('a child that is asked whether it has ended', () => {
  const asked = { type: 'answer_requested', parentStepExecutionId: 'p-1' } as const;
  const parent = { runId: 'run-parent', stepExecutionId: 'p-1' };
  const parentAttempt = running({ ...child, stepExecutionId: 'p-1' });
  const completed = { ...failedRun, status: 'COMPLETED', error: null } as const;
  const cancelled = {
    ...failedRun,
    status: 'CANCELLED',
    error: null,
    cancellation: { by: 'ann', reason: 'enough', at: T0 - 1_000 },
  } as const;
  const ask = (of: Run, given: GivenData = { parentAttempt, outputs: { it: { n: 1 } } }) =>
    decide(planOf([step]), stateOf(of, [settled('COMPLETED')], given), asked, T0, draws());

  it.each<[string, Run, object]>([
    ['completed', completed, { output: { n: 1 } }],
    ['failed', failedRun, { error: { code: 'BAD', message: 'no', retryable: true } }],
    [
      'was cancelled',
      cancelled,
      { error: { code: 'CANCELLED', message: 'The run was cancelled: enough', retryable: false } },
    ],
    [
      'failed, and does not say why',
      { ...failedRun, error: null },
      {
        error: {
          code: 'FAILED',
          message: 'The run failed, and its row does not say why',
          retryable: true,
        },
      },
    ],
  ])('answers again where it %s, and is as it was: I4', (_, before, outcome) => {
    const given = { ...before, parent };
    const decision = ask(given);
    expect(decision).toMatchObject({ ok: true, effects: [{ type: 'answer_parent', ...parent, outcome }] });
    expect(decided(decision).run).toEqual(given);
  });

  it('goes on with what it does', () => {
    expect(ask(run({ parent }))).toEqual({ ok: false, code: 'RUN_OPEN' });
  });

  it.each([
    ['nobody waits for it', { parent: null }, { parentAttempt }],
    ['the attempt has settled', {}, { parentAttempt: { ...parentAttempt, status: 'COMPLETED' } as const }],
    ['the attempt is not there', {}, {}],
  ])('says nothing where %s', (_, given, data) => {
    expect(ask({ ...completed, parent, ...given }, data)).toEqual({ ok: false, code: 'PARENT_NOT_WAITING' });
  });

  it.each([
    ['has ended', failedRun],
    ['is going on', run()],
  ])('and was never told of the attempt that waits now tells itself, where it %s', (_, before) => {
    const earlier = { runId: 'run-parent', stepExecutionId: 'p-0' };
    expect(tell(ask({ ...before, parent: earlier }))).toMatch(/ \| retry run-1 for p-1$/);
  });
});
