import { describe, expect, it } from 'vitest';
import { decide, joinsOf, needsOf } from '../../../shared/engine/decide.ts';
import type { Decision, Effect } from '../../../shared/engine/effects.ts';
import type {
  AgentAnswered,
  AgentOutcome,
  EngineEvent,
  RetryRequested,
} from '../../../shared/engine/event.ts';
import { type Needs, NO_NEEDS } from '../../../shared/engine/needs.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import type { Attempt, State } from '../../../shared/engine/state.ts';
import {
  attempt,
  cancelledRun,
  completedRun,
  draws,
  failedRun,
  NOTHING,
  pendingRun,
  pipelinePlan,
  planOf,
  planStep,
  policy,
  requestedAttempt,
  run,
  stateOf,
  T0,
  waitingAttempt,
} from '../../support/engine-states.ts';

const plan = pipelinePlan();
const HOUR = 3_600_000;

describe('starting', () => {
  it('opens the first attempt with its input, its times and its task', () => {
    const { state, effects } = made(
      decide(plan, stateOf(pendingRun), { type: 'execution_requested' }, T0, draws()),
    );

    expect(state.run).toEqual({
      ...pendingRun,
      status: 'RUNNING',
      sequence: 2,
      startedAt: T0,
      stepsStarted: 1,
      wakeAt: null,
    });
    expect(attemptsOf(state)).toEqual([
      attempt({
        stepExecutionId: 'n-1',
        createdAt: T0,
        startedAt: T0,
        deadlineAt: T0 + 60_000 + HOUR,
        wakeAt: T0 + 60_000 + HOUR,
      }),
    ]);
    expect(effects).toEqual([
      update(1, { status: 'RUNNING' }),
      update(2, { status: 'RUNNING', stepId: 'extract', stepStatus: 'RUNNING', attempt: 1 }),
      {
        type: 'dispatch_task',
        stepExecutionId: 'n-1',
        stepId: 'extract',
        agentName: 'extract-agent',
        attempt: 1,
        inputData: { given: 'in' },
        idempotencyKey: 'run-1:extract:1:f1801235348f7916',
        timeoutMs: null,
        deadlineAt: T0 + 60_000 + HOUR,
      },
    ]);
  });

  it("counts the long stop from the step's own timeout", () => {
    const slow = pipelinePlan({ extract: { timeoutMs: 900_000 } });
    const { state } = made(decide(slow, stateOf(pendingRun), { type: 'execution_requested' }, T0, draws()));
    expect(attemptsOf(state)[0]).toMatchObject({ timeoutMs: 900_000, deadlineAt: T0 + 900_000 + HOUR });
  });

  it('clears the note that publishing had failed', () => {
    const noted = stateOf({
      ...pendingRun,
      error: { code: 'PUBLISH_FAILED', message: 'not yet', stepId: null, attempt: null },
    });
    const { state } = made(decide(plan, noted, { type: 'execution_requested' }, T0, draws()));
    expect(state.run.error).toBeNull();
  });

  it('DATA_LIMIT: an input over the limit fails the attempt and the run, and calls nobody', () => {
    const before = stateOf(pendingRun, [], { workflowInput: 'x'.repeat(200) });
    const { state, effects } = made(decide(plan, before, { type: 'execution_requested' }, T0, draws()));

    const text = 'The input of step "extract" is larger than the limit of 200 bytes of JSON';
    const runText = `Step "extract" failed with DATA_LIMIT on attempt 1: ${text}`;
    expect(attemptsOf(state)).toEqual([
      attempt({
        stepExecutionId: 'n-1',
        status: 'FAILED',
        inputData: null,
        error: { code: 'DATA_LIMIT', message: text },
        createdAt: T0,
        startedAt: T0,
        completedAt: T0,
        deadlineAt: null,
        wakeAt: null,
      }),
    ]);
    expect(state.run).toMatchObject({
      status: 'FAILED',
      completedAt: T0,
      error: { code: 'DATA_LIMIT', message: runText, stepId: 'extract', attempt: 1 },
    });
    expect(effects).toEqual([
      update(1, { status: 'RUNNING' }),
      update(2, {
        status: 'RUNNING',
        stepId: 'extract',
        stepStatus: 'FAILED',
        attempt: 1,
        errorMessage: text,
      }),
      update(3, { status: 'FAILED', errorMessage: runText }),
    ]);
  });

  it('takes an input of exactly the limit', () => {
    const before = stateOf(pendingRun, [], { workflowInput: 'x'.repeat(200 - '{"given":""}'.length) });
    const { state } = made(decide(plan, before, { type: 'execution_requested' }, T0, draws()));
    expect(state.run.status).toBe('RUNNING');
  });

  it('fails with the reason where the plan that came inline is refused', () => {
    const event = { type: 'plan_refused', message: 'steps: expected at least one step' } as const;
    const { state, effects } = made(decide(plan, stateOf(pendingRun), event, T0, draws()));
    expect(state.run).toMatchObject({
      status: 'FAILED',
      startedAt: null,
      completedAt: T0,
      wakeAt: null,
      error: {
        code: 'INVALID_PLAN',
        message: 'steps: expected at least one step',
        stepId: null,
        attempt: null,
      },
    });
    expect(effects).toEqual([
      update(1, { status: 'FAILED', errorMessage: 'steps: expected at least one step' }),
    ]);
  });
});

describe('an answer', () => {
  it('I2, I3: completes the attempt once and enters the next step on its output', () => {
    const event = answer({ status: 'completed', output: { rows: 3 } }, { logs: ['read 3 rows'] });
    const first = made(decide(plan, stateOf(run(), [attempt()]), event, T0, draws()));

    expect(attemptsOf(first.state)).toEqual([
      attempt({
        status: 'COMPLETED',
        outputData: { rows: 3 },
        logs: ['read 3 rows'],
        completedAt: T0,
        wakeAt: null,
      }),
      attempt({
        stepExecutionId: 'n-1',
        stepId: 'transform',
        inputData: { data: { rows: 3 } },
        createdAt: T0,
        startedAt: T0,
        deadlineAt: T0 + 60_000 + HOUR,
        wakeAt: T0 + 60_000 + HOUR,
      }),
    ]);
    expect(first.effects.map(({ type }) => type)).toEqual([
      'publish_update',
      'publish_update',
      'dispatch_task',
    ]);
    expect(decide(plan, first.state, event, T0 + 1, draws())).toEqual({ ok: false, code: 'ATTEMPT_CLOSED' });
  });

  it('of the last step completes the run with its output', () => {
    const last = attempt({ stepId: 'transform' });
    const event = answer({ status: 'completed', output: [1, 2] });
    const { state, effects } = made(decide(plan, stateOf(run(), [last]), event, T0, draws()));
    expect(state.run).toEqual(
      run({ status: 'COMPLETED', sequence: 12, outputData: [1, 2], completedAt: T0 }),
    );
    expect(effects).toEqual([
      update(11, { status: 'RUNNING', stepId: 'transform', stepStatus: 'COMPLETED', attempt: 1 }),
      update(12, { status: 'COMPLETED' }),
    ]);
  });

  it.each([
    ['null', null],
    ['false', false],
    ['an empty text', ''],
    ['zero', 0],
  ])('may be %s: an output like any other', (_, output) => {
    const { state } = made(
      decide(plan, stateOf(run(), [attempt()]), answer({ status: 'completed', output }), T0, draws()),
    );
    expect(attemptsOf(state)[1]?.inputData).toEqual({ data: output });
  });

  it('that names another attempt number than the row is of is refused', () => {
    const state = stateOf(run(), [attempt({ attempt: 2 })]);
    const event = answer({ status: 'completed', output: null }, { attempt: 1 });
    expect(decide(plan, state, event, T0, draws())).toEqual({ ok: false, code: 'UNKNOWN_ATTEMPT' });
  });

  it('DATA_LIMIT: a next input over the limit fails the run after the completed step, which stays completed', () => {
    const event = answer({ status: 'completed', output: 'x'.repeat(195) });
    const { state } = made(decide(plan, stateOf(run(), [attempt()]), event, T0, draws()));
    expect(attemptsOf(state).map(({ stepId, status }) => [stepId, status])).toEqual([
      ['extract', 'COMPLETED'],
      ['transform', 'FAILED'],
    ]);
    expect(state.run).toMatchObject({ status: 'FAILED', error: { code: 'DATA_LIMIT', stepId: 'transform' } });
  });
});

describe('a failure', () => {
  const busy = { code: 'BUSY', message: 'later', retryable: true };

  it('opens the next attempt, PENDING until its backoff has passed', () => {
    const jittery = pipelinePlan({
      extract: { retry: [policy({ jitter: 'full', initialIntervalMs: 8_000 })] },
    });
    const event = answer({ status: 'failed', error: busy }, { logs: ['tried'] });
    const { state, effects } = made(decide(jittery, stateOf(run(), [attempt()]), event, T0, draws(0.25)));

    expect(state.run).toEqual(run({ sequence: 12 }));
    expect(attemptsOf(state)).toEqual([
      attempt({
        status: 'FAILED',
        error: { code: 'BUSY', message: 'later' },
        logs: ['tried'],
        completedAt: T0,
        wakeAt: null,
      }),
      attempt({
        stepExecutionId: 'n-1',
        attempt: 2,
        policyAttempt: 2,
        status: 'PENDING',
        createdAt: T0,
        startedAt: null,
        deadlineAt: null,
        dueAt: T0 + 2_000,
        wakeAt: T0 + 2_000,
      }),
    ]);
    expect(effects).toEqual([
      update(11, {
        status: 'RUNNING',
        stepId: 'extract',
        stepStatus: 'FAILED',
        attempt: 1,
        errorMessage: 'later',
      }),
      update(12, { status: 'RUNNING', stepId: 'extract', stepStatus: 'PENDING', attempt: 2 }),
    ]);
  });

  it('waits for Retry-After', () => {
    const event = answer({ status: 'failed', error: { ...busy, retryAfterMs: 45_000 } });
    const { state } = made(decide(plan, stateOf(run(), [attempt()]), event, T0, draws()));
    expect(attemptsOf(state)[1]).toMatchObject({ dueAt: T0 + 45_000, wakeAt: T0 + 45_000 });
  });

  it('of the last attempt that the policy has fails the run, and says which step', () => {
    const third = attempt({ attempt: 3, policyAttempt: 3 });
    const event = answer({ status: 'failed', error: busy });
    const { state } = made(decide(plan, stateOf(run(), [third]), event, T0, draws()));
    expect(state.run).toEqual(
      run({
        status: 'FAILED',
        sequence: 12,
        completedAt: T0,
        error: {
          code: 'BUSY',
          message: 'Step "extract" failed with BUSY on attempt 3: later',
          stepId: 'extract',
          attempt: 3,
        },
      }),
    );
  });

  it('counts policy attempts from the last explicit retry', () => {
    const seventh = attempt({ attempt: 7, policyAttempt: 1 });
    const event = answer({ status: 'failed', error: busy });
    const { state } = made(decide(plan, stateOf(run(), [seventh]), event, T0, draws()));
    expect(attemptsOf(state)[1]).toMatchObject({ attempt: 8, policyAttempt: 2, status: 'PENDING' });
  });

  it('counts a policy of a list for itself', () => {
    const listed = planOf([
      planStep('extract', {
        retry: [policy({ codes: ['BUSY'], maxAttempts: 2 }), policy({ maxAttempts: 2 })],
      }),
    ]);
    const answerTo = (given: Partial<Attempt>, code: string) => {
      const event = answer({ status: 'failed', error: { ...busy, code } });
      return made(decide(listed, stateOf(run(), [attempt(given)]), event, T0, draws())).state;
    };
    const second = attemptsOf(answerTo({}, 'BUSY'))[1];
    expect(second).toMatchObject({ attempt: 2, policyRetries: [1, 0], dueAt: T0 + 1_000 });
    const third = attemptsOf(answerTo({ attempt: 2, policyAttempt: 2, policyRetries: [1, 0] }, 'ODD'))[1];
    expect(third).toMatchObject({ attempt: 3, policyRetries: [1, 1], dueAt: T0 + 1_000 });
    const last = answerTo({ attempt: 3, policyAttempt: 3, policyRetries: [1, 1] }, 'BUSY');
    expect(last.run).toMatchObject({ status: 'FAILED', error: { code: 'BUSY', attempt: 3 } });
  });
});

describe('a wake', () => {
  it.each([
    ['a millisecond early', T0 + 999, 'NOT_DUE'],
    ['on time', T0 + 1_000, 'RUNNING'],
    ['late', T0 + 90_000, 'RUNNING'],
  ])('%s for an attempt that waits for its backoff: %s → %s', (_, at, expected) => {
    const decision = decide(plan, stateOf(run(), [waitingAttempt]), woken(at), T0 + 50, draws());
    expect(decision.ok ? attemptsOf(decision.state)[0]?.status : decision.code).toBe(expected);
  });

  it("starts a waiting attempt on its own input, and its deadline counts from the decision's time", () => {
    const { state, effects } = made(
      decide(plan, stateOf(run(), [waitingAttempt]), woken(T0 + 1_000), T0 + 1_200, draws()),
    );
    expect(attemptsOf(state)).toEqual([
      {
        ...waitingAttempt,
        status: 'RUNNING',
        startedAt: T0 + 1_200,
        dueAt: null,
        deadlineAt: T0 + 1_200 + 60_000 + HOUR,
        wakeAt: T0 + 1_200 + 60_000 + HOUR,
      },
    ]);
    expect(taskIn(effects)).toMatchObject({ attempt: 2, inputData: { given: 'in' } });
  });

  it('by the clock of the wake, not of the decision: a decision with a late clock starts what is due', () => {
    const decision = decide(plan, stateOf(run(), [waitingAttempt]), woken(T0 + 1_000), T0 - 5_000, draws());
    expect(decision.ok).toBe(true);
  });

  it('starts an attempt whose step request was lost', () => {
    const { state } = made(decide(plan, stateOf(run(), [requestedAttempt]), woken(T0), T0, draws()));
    expect(attemptsOf(state)[0]).toMatchObject({ status: 'RUNNING', startedAt: T0 });
  });

  it('publishes a task that nobody carried out once more, then gives the attempt up with TIMEOUT', () => {
    const overdue = attempt({ deadlineAt: T0 - 1, wakeAt: T0 - 1 });
    const first = made(decide(plan, stateOf(run(), [overdue]), woken(T0), T0, draws()));
    const again = T0 + 60_000 + HOUR;
    expect(attemptsOf(first.state)).toEqual([
      { ...overdue, republishedAt: T0, deadlineAt: again, wakeAt: again },
    ]);
    expect(first.state.run).toEqual(run({ sequence: 11 }));
    expect(first.effects).toEqual([
      update(11, { status: 'RUNNING', stepId: 'extract', stepStatus: 'RUNNING', attempt: 1 }),
      {
        type: 'dispatch_task',
        stepExecutionId: 'a-1',
        stepId: 'extract',
        agentName: 'extract-agent',
        attempt: 1,
        inputData: { given: 'in' },
        idempotencyKey: 'run-1:extract:1:f1801235348f7916',
        timeoutMs: null,
        deadlineAt: again,
      },
    ]);

    expect(decide(plan, first.state, woken(T0), T0, draws())).toEqual({ ok: false, code: 'NOT_DUE' });
    const second = made(decide(plan, first.state, woken(again), again, draws()));
    expect(attemptsOf(second.state).map(({ status, error }) => [status, error])).toEqual([
      ['FAILED', { code: 'TIMEOUT', message: 'No answer came by 2026-01-15T11:31:00.000Z' }],
      ['PENDING', null],
    ]);
  });

  it('gives up an attempt that was accepted and not called back, without asking again', () => {
    const accepted = attempt({
      deadlineAt: T0,
      wakeAt: T0,
      acceptedAt: T0 - 60_000,
      policyAttempt: 3,
      attempt: 3,
    });
    const { state, effects } = made(decide(plan, stateOf(run(), [accepted]), woken(T0), T0, draws()));
    const message = 'The agent accepted the task and did not call back by 2026-01-15T10:30:00.000Z';
    expect(attemptsOf(state)[0]?.error).toEqual({ code: 'TIMEOUT', message });
    expect(state.run.error).toEqual({
      code: 'TIMEOUT',
      message: `Step "extract" failed with TIMEOUT on attempt 3: ${message}`,
      stepId: 'extract',
      attempt: 3,
    });
    expect(taskIn(effects)).toBeUndefined();
  });

  it('a millisecond before the deadline changes nothing', () => {
    const state = stateOf(run(), [attempt({ deadlineAt: T0 + 1 })]);
    expect(decide(plan, state, woken(T0), T0, draws())).toEqual({ ok: false, code: 'NOT_DUE' });
  });
});

describe('cancelling', () => {
  it('closes every open attempt and leaves the settled ones', () => {
    const done = attempt({ stepExecutionId: 'a-0', status: 'FAILED', completedAt: T0 - 9, wakeAt: null });
    const event = { type: 'cancellation_requested', by: 'ann', reason: 'enough' } as const;
    const { state, effects } = made(decide(plan, stateOf(run(), [done, waitingAttempt]), event, T0, draws()));
    expect(attemptsOf(state)).toEqual([
      done,
      { ...waitingAttempt, status: 'CANCELLED', completedAt: T0, dueAt: null, wakeAt: null },
    ]);
    expect(state.run).toEqual(
      run({
        status: 'CANCELLED',
        sequence: 12,
        completedAt: T0,
        cancellation: { by: 'ann', reason: 'enough', at: T0 },
      }),
    );
    expect(effects).toEqual([
      update(11, { status: 'RUNNING', stepId: 'extract', stepStatus: 'CANCELLED', attempt: 2 }),
      update(12, { status: 'CANCELLED' }),
      { type: 'announce_cancellation', by: 'ann', reason: 'enough' },
    ]);
  });

  it('does not announce what came as a record', () => {
    const event = { type: 'cancellation_requested', by: null, reason: null, announced: true } as const;
    const { effects } = made(decide(plan, stateOf(run(), [attempt()]), event, T0, draws()));
    expect(effects.map(({ type }) => type)).toEqual(['publish_update', 'publish_update']);
  });

  it('I4: an answer that comes after changes nothing', () => {
    const event = { type: 'cancellation_requested', by: null, reason: null } as const;
    const { state } = made(decide(plan, stateOf(run(), [attempt()]), event, T0, draws()));
    const late = answer({ status: 'completed', output: 1 });
    expect(decide(plan, state, late, T0 + 5, draws())).toEqual({ ok: false, code: 'RUN_CLOSED' });
  });
});

describe('I4: the record of a cancellation that a retry has undone', () => {
  const asked = { type: 'cancellation_requested', by: 'ann', reason: null, announced: true } as const;
  const retried = stateOf(run({ retriedAt: T0 }), [attempt()]);

  it.each([
    ['asked for before the retry', T0 - 1, 'CANCELLATION_OUTDATED'],
    ['asked for in the same millisecond', T0, 'CANCELLATION_OUTDATED'],
    ['asked for after the retry', T0 + 1, 'CANCELLED'],
  ])('%s: %i → %s', (_, requestedAt, expected) => {
    const decision = decide(plan, retried, { ...asked, requestedAt }, T0 + 5, draws());
    expect(decision.ok ? decision.state.run.status : decision.code).toBe(expected);
  });

  it('without a time is taken for new, and so is any of a run that was not retried', () => {
    expect(decide(plan, retried, asked, T0 + 5, draws()).ok).toBe(true);
    const never = stateOf(run(), [attempt()]);
    expect(decide(plan, never, { ...asked, requestedAt: T0 - HOUR }, T0 + 5, draws()).ok).toBe(true);
  });

  it('a retry is never before the cancellation that it undoes, though clocks differ', () => {
    const cancelled = stateOf(cancelledRun, [attempt({ status: 'CANCELLED' })]);
    const { state } = made(decide(plan, cancelled, { type: 'retry_requested' }, T0 - 60_000, draws()));
    expect(state.run.retriedAt).toBe(T0 - 1_000);
  });

  it('nor before another retry: what that has undone stays undone', () => {
    const again = { ...cancelledRun, retriedAt: T0 + HOUR };
    const cancelled = stateOf(again, [attempt({ status: 'CANCELLED' })]);
    const { state } = made(decide(plan, cancelled, { type: 'retry_requested' }, T0, draws()));
    expect(state.run.retriedAt).toBe(T0 + HOUR);
  });
});

describe('an explicit retry', () => {
  const failed = attempt({
    status: 'FAILED',
    attempt: 3,
    policyAttempt: 3,
    completedAt: T0 - 1_000,
    wakeAt: null,
  });

  it('opens a new attempt of the failed step, which a step request starts, and keeps what completed', () => {
    const before = stateOf(failedRun, [{ ...failed, stepId: 'transform' }], {
      outputs: { extract: { rows: 3 } },
    });
    const { state, effects } = made(decide(plan, before, { type: 'retry_requested' }, T0, draws()));

    expect(state.run).toEqual(run({ sequence: 12, retriedAt: T0 }));
    expect(attemptsOf(state)[1]).toEqual(
      attempt({
        stepExecutionId: 'n-1',
        stepId: 'transform',
        attempt: 4,
        policyAttempt: 1,
        status: 'PENDING',
        inputData: null,
        createdAt: T0,
        startedAt: null,
        deadlineAt: null,
        wakeAt: T0 + 30_000,
      }),
    );
    expect(effects).toEqual([
      update(11, { status: 'RUNNING' }),
      update(12, { status: 'RUNNING', stepId: 'transform', stepStatus: 'PENDING', attempt: 4 }),
      { type: 'request_step', stepExecutionId: 'n-1' },
    ]);
  });

  it('of a cancelled run goes on with the step that was cancelled', () => {
    const cancelled = attempt({ status: 'CANCELLED', completedAt: T0 - 1_000, wakeAt: null });
    const { state } = made(
      decide(plan, stateOf(cancelledRun, [cancelled]), { type: 'retry_requested' }, T0, draws()),
    );
    expect(state.run).toMatchObject({ status: 'RUNNING', cancellation: null, completedAt: null });
    expect(attemptsOf(state)[1]).toMatchObject({ stepId: 'extract', attempt: 2, status: 'PENDING' });
  });

  it('of a run that was cancelled while PENDING begins it', () => {
    const never = { ...cancelledRun, startedAt: null };
    const { state } = made(decide(plan, stateOf(never), { type: 'retry_requested' }, T0, draws()));
    expect(state.run).toMatchObject({ status: 'RUNNING', startedAt: T0 });
    expect(attemptsOf(state)).toMatchObject([{ stepId: 'extract', attempt: 1, visit: 1, status: 'PENDING' }]);
  });

  it('after a completed step enters the next one', () => {
    const done = attempt({ status: 'COMPLETED', completedAt: T0 - 1_000, wakeAt: null });
    const { state } = made(
      decide(plan, stateOf(cancelledRun, [done]), { type: 'retry_requested' }, T0, draws()),
    );
    expect(attemptsOf(state)[1]).toMatchObject({ stepId: 'transform', attempt: 1, status: 'PENDING' });
  });

  it('after the last completed step has nothing to do', () => {
    const done = attempt({ stepId: 'transform', status: 'COMPLETED', completedAt: T0 - 1_000, wakeAt: null });
    const decision = decide(plan, stateOf(failedRun, [done]), { type: 'retry_requested' }, T0, draws());
    expect(decision).toEqual({ ok: false, code: 'RUN_COMPLETED' });
  });

  it('of one that was cancelled while a pause held its end brings it to that', () => {
    const done = attempt({ stepId: 'transform', status: 'COMPLETED', completedAt: T0 - 1_000, wakeAt: null });
    const before = stateOf(cancelledRun, [done], { outputs: { transform: { n: 1 } } });
    const retry = (event: RetryRequested, state = before) => decide(plan, state, event, T0, draws());
    expect(made(retry({ type: 'retry_requested' })).state.run).toMatchObject({
      status: 'COMPLETED',
      outputData: { n: 1 },
      cancellation: null,
    });
    expect(needsOf(plan, before, { type: 'retry_requested' }).outputs).toEqual([
      { scope: '', stepId: 'transform' },
    ]);
    expect(retry({ type: 'retry_requested', inputData: {} })).toEqual({ ok: false, code: 'INPUT_NOT_TAKEN' });
    const held = { ...before, run: { ...before.run, isWorkflowPaused: true } };
    expect(made(retry({ type: 'retry_requested' }, held)).state.run).toMatchObject({
      status: 'RUNNING',
      heldBy: 'workflow',
    });
  });

  it('goes by the order in which attempts were opened, whatever order ids have: clocks differ', () => {
    const done = attempt({ stepExecutionId: 'z', status: 'COMPLETED', completedAt: T0, wakeAt: null });
    const broken = attempt({
      stepExecutionId: 'a',
      stepId: 'transform',
      status: 'FAILED',
      createdAt: T0 - 4_000,
    });
    const { state } = made(
      decide(plan, stateOf(failedRun, [done, broken]), { type: 'retry_requested' }, T0, draws()),
    );
    expect(attemptsOf(state)[2]).toMatchObject({ stepId: 'transform', attempt: 2 });
  });

  it("makes the step's input anew, when it starts", () => {
    const outputs = { extract: { rows: 3 } };
    const before = stateOf(failedRun, [{ ...failed, stepId: 'transform' }], { outputs });
    const retried = made(decide(plan, before, { type: 'retry_requested' }, T0, draws()));
    const started = made(decide(plan, retried.state, requestOf('n-1'), T0 + 5, draws()));
    expect(attemptsOf(started.state)[1]).toMatchObject({
      status: 'RUNNING',
      startedAt: T0 + 5,
      inputData: { data: { rows: 3 } },
    });
    expect(taskIn(started.effects)).toMatchObject({ attempt: 4, inputData: { data: { rows: 3 } } });
  });

  it('DATA_LIMIT: whose input is over the limit fails the run again', () => {
    const before = stateOf(failedRun, [failed], { workflowInput: 'x'.repeat(200) });
    const retried = made(decide(plan, before, { type: 'retry_requested' }, T0, draws()));
    const { state, effects } = made(decide(plan, retried.state, requestOf('n-1'), T0, draws()));
    expect(state.run).toMatchObject({
      status: 'FAILED',
      completedAt: T0,
      error: { code: 'DATA_LIMIT', attempt: 4 },
    });
    expect(effects.map(({ type }) => type)).toEqual(['publish_update', 'publish_update']);
  });

  it('of a completed run is refused', () => {
    expect(decide(plan, stateOf(completedRun), { type: 'retry_requested' }, T0, draws())).toEqual({
      ok: false,
      code: 'RUN_COMPLETED',
    });
  });
});

describe('I6: the idempotency key', () => {
  it('is one for all attempts of a visit: first call, retry, republished task and explicit retry', () => {
    const keys: (string | undefined)[] = [];
    const given = draws();
    let state = stateOf(pendingRun);
    const go = (event: EngineEvent, now: number) => {
      const decision = made(decide(plan, state, event, now, given));
      state = decision.state;
      keys.push(taskIn(decision.effects)?.idempotencyKey);
    };
    const error = { code: 'BUSY', message: 'later', retryable: true };
    const open = () => attemptsOf(state).at(-1)!.stepExecutionId;
    const failing = (retryable = true): EngineEvent => ({
      ...answer({ status: 'failed', error: { ...error, retryable } }),
      stepExecutionId: open(),
    });
    go({ type: 'execution_requested' }, T0);
    go(failing(), T0);
    go({ ...woken(T0 + 1_000), stepExecutionId: open() }, T0 + 1_000);
    const deadline = attemptsOf(state).at(-1)!.deadlineAt!;
    go({ ...woken(deadline), stepExecutionId: open() }, deadline);
    go(failing(false), deadline);
    go({ type: 'retry_requested' }, deadline + 1);
    go({ type: 'step_requested', stepExecutionId: open() }, deadline + 2);

    const key = 'run-1:extract:1:f1801235348f7916';
    expect(keys).toEqual([key, undefined, key, key, undefined, undefined, key]);
    expect(attemptsOf(state).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  it('is another for another input: edited, or made by another version', () => {
    const failed = stateOf(failedRun, [
      attempt({ status: 'FAILED', completedAt: T0 - 1_000, wakeAt: null, inputData: null }),
    ]);
    const keyOf = (of: Plan, event: RetryRequested) => {
      const given = draws();
      const retried = made(decide(of, failed, event, T0, given)).state;
      const { effects } = made(
        decide(of, retried, { type: 'step_requested', stepExecutionId: 'n-1' }, T0, given),
      );
      return taskIn(effects)?.idempotencyKey;
    };
    const changed = pipelinePlan({
      extract: { input: { reads: NOTHING, evaluate: () => ({ given: 'other' }) } },
    });
    expect(keyOf(plan, { type: 'retry_requested' })).toBe('run-1:extract:1:f1801235348f7916');
    expect(keyOf(changed, { type: 'retry_requested' })).toBe('run-1:extract:1:caa9b0a8c4c2c7e6');
    const edited: RetryRequested = { type: 'retry_requested', inputData: { given: 'other' } };
    expect(keyOf(plan, edited)).toBe('run-1:extract:1:caa9b0a8c4c2c7e6');
    expect(keyOf(plan, { ...edited, inputData: {} })).toBe('run-1:extract:1:fb63d115bb51feec');
  });
});

describe('attempts are in the order in which they were opened', () => {
  it('also where the clock of the next decision is behind', () => {
    const state = stateOf(run(), [attempt({ createdAt: T0 })]);
    const after = made(decide(plan, state, answer({ status: 'completed', output: 1 }), T0 - 700, draws()));
    expect(attemptsOf(after.state)[1]).toMatchObject({ createdAt: T0 + 1, startedAt: T0 - 700 });
  });
});

describe('needsOf', () => {
  const reading: Plan = pipelinePlan({
    transform: { reads: { ...NOTHING, variables: true, steps: ['extract', 'other'] } },
  });
  const other = { scope: '', stepId: 'other' };

  it.each<[string, State, EngineEvent, Partial<Needs>]>([
    [
      'an execution request: what the start step reads',
      stateOf(pendingRun),
      { type: 'execution_requested' },
      { workflowInput: true },
    ],
    [
      'a completed step: what the next one reads, without what the event itself brings',
      stateOf(run(), [attempt()]),
      answer({ status: 'completed', output: 1 }),
      { variables: [''], outputs: [other] },
    ],
    [
      'a failure: nothing',
      stateOf(run(), [attempt()]),
      answer({ status: 'failed', error: { code: 'X', message: 'x', retryable: true } }),
      {},
    ],
    [
      'the last step: nothing',
      stateOf(run(), [attempt({ stepId: 'transform' })]),
      answer({ status: 'completed', output: 1 }),
      {},
    ],
    ['an unknown attempt: nothing', stateOf(run()), answer({ status: 'completed', output: 1 }), {}],
    ['the end of a backoff: nothing, its input is made', stateOf(run(), [waitingAttempt]), woken(T0), {}],
    [
      'a requested step: what it reads',
      stateOf(run(), [{ ...requestedAttempt, stepId: 'transform' }]),
      requestOf('a-1'),
      { variables: [''], outputs: [{ scope: '', stepId: 'extract' }, other] },
    ],
    [
      'a retry: the branches and items that it goes on with',
      stateOf(failedRun, [attempt({ status: 'COMPLETED' })]),
      { type: 'retry_requested' },
      { unfinishedChildren: true, visits: [{ scope: '', stepId: 'transform' }] },
    ],
    [
      'a cancellation: nothing',
      stateOf(run(), [attempt()]),
      { type: 'cancellation_requested', by: null, reason: null },
      {},
    ],
  ])('%s', (_, state, event, expected) => {
    expect(needsOf(reading, state, event)).toEqual({ ...NO_NEEDS, ...expected });
    if (event.type !== 'retry_requested') expect(joinsOf(reading, state, event)).toEqual([]);
  });
});

function made(decision: Decision) {
  if (!decision.ok) throw new Error(`Refused: ${decision.code}`);
  return decision;
}

function attemptsOf(state: State): Attempt[] {
  return [...state.attempts.values()];
}

function taskIn(effects: readonly Effect[]) {
  return effects.find((effect) => effect.type === 'dispatch_task');
}

function answer(outcome: AgentOutcome, given: Partial<AgentAnswered> = {}): AgentAnswered {
  return { type: 'agent_answered', stepExecutionId: 'a-1', attempt: null, outcome, logs: null, ...given };
}

function requestOf(stepExecutionId: string) {
  return { type: 'step_requested', stepExecutionId } as const;
}

function woken(at: number) {
  return { type: 'woken', stepExecutionId: 'a-1', at } as const;
}

type Update = Extract<Effect, { type: 'publish_update' }>;

function update(sequence: number, given: Partial<Update>): Update {
  return {
    type: 'publish_update',
    sequence,
    status: 'RUNNING',
    stepId: null,
    scope: '',
    stepStatus: null,
    attempt: null,
    errorMessage: null,
    ...given,
  };
}
