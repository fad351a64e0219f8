import { describe, expect, it } from 'vitest';
import { decide, needsOf } from '../../../shared/engine/decide.ts';
import type { GivenUp } from '../../../shared/engine/event.ts';
import type { ParallelStep } from '../../../shared/engine/plan.ts';
import {
  attempt,
  child,
  completedRun,
  draws,
  failedRun,
  join,
  pendingRun,
  pipelinePlan,
  planOf,
  planStep,
  requestedAttempt,
  run,
  stateOf,
  stepBase,
  T0,
} from '../../support/engine-states.ts';
import { tell } from '../../support/tell-decision.ts';

const givenUp = (given: Partial<GivenUp> = {}): GivenUp => ({
  type: 'given_up',
  code: 'UNSTORABLE',
  message: 'no',
  stepExecutionId: null,
  ...given,
});
const told = (state: Parameters<typeof decide>[1], given: Partial<GivenUp> = {}, plan = pipelinePlan()) =>
  tell(decide(plan, state, givenUp(given), T0, draws()));

describe('an open run that nothing can be made of', () => {
  it.each([
    [
      'under way',
      stateOf(run(), [attempt()]),
      'FAILED | extract#1 CANCELLED | update RUNNING extract CANCELLED, update FAILED',
    ],
    ['not begun', stateOf(pendingRun), 'FAILED |  | update FAILED'],
    [
      'another waits for',
      stateOf(run({ parent: { runId: 'p', stepExecutionId: 'p-1' } })),
      'FAILED |  | update FAILED, answer p UNSTORABLE',
    ],
  ])('%s fails, and what is open in it is cancelled', (_, state, expected) => {
    expect(told(state)).toBe(expected);
  });

  it('has the code and the message of it', () => {
    const decision = decide(pipelinePlan(), stateOf(run(), [attempt()]), givenUp(), T0, draws());
    expect(decision.ok && decision.state.run.error).toEqual({
      code: 'UNSTORABLE',
      message: 'no',
      stepId: null,
      attempt: null,
    });
  });
});

describe('an attempt that nothing can be made of', () => {
  it.each([
    ['running', attempt()],
    ['requested', requestedAttempt],
  ])('%s fails for good, though its step would be tried again', (_, one) => {
    expect(told(stateOf(run(), [one]), { stepExecutionId: 'a-1' })).toBe(
      'FAILED | extract#1 FAILED | update RUNNING extract FAILED, update FAILED',
    );
  });

  it('may be caught', () => {
    const plan = pipelinePlan({ extract: { catch: [{ codes: ['UNSTORABLE'], next: 'transform' }] } });
    expect(told(stateOf(run(), [attempt()]), { stepExecutionId: 'a-1' }, plan)).toMatch(
      /^RUNNING \| extract#1 FAILED, transform#1 PENDING/,
    );
    expect(needsOf(plan, stateOf(run(), [attempt()]), givenUp({ stepExecutionId: 'a-1' }))).toMatchObject({
      visits: [],
      variables: [],
    });
  });

  it('in a branch is the failure of that branch', () => {
    const around: ParallelStep = { ...stepBase('around'), type: 'parallel', needed: 1, branches: [] };
    const inner = planStep('in', { within: 'around', depth: 1 });
    const state = stateOf(
      run(),
      [attempt({ stepId: 'around' }), attempt({ stepExecutionId: 'b-1', stepId: 'in', scope: 'around#1/a' })],
      {
        joins: [join({ path: 'around#1', stepId: 'around', tolerated: 1, needed: 1 })],
        children: [child('around#1/a', 0)],
      },
    );
    expect(told(state, { stepExecutionId: 'b-1' }, planOf([around, inner]))).toBe(
      'RUNNING | around#1 RUNNING, around#1/a:in#1 FAILED | update RUNNING around#1/a:in FAILED',
    );
  });

  it.each([
    ['settled', [attempt({ status: 'COMPLETED' })], 'ATTEMPT_CLOSED'],
    ['not there', [], 'UNKNOWN_ATTEMPT'],
  ])('%s is left as it is', (_, attempts, code) => {
    expect(told(stateOf(run(), attempts), { stepExecutionId: 'a-1' })).toBe(code);
  });
});

describe('a closed run', () => {
  it.each([failedRun, completedRun])('stays as it is', (closed) => {
    expect(told(stateOf(closed))).toBe('RUN_CLOSED');
  });

  it('that was asked to go on tells who asked', () => {
    const child = { ...failedRun, parent: { runId: 'p', stepExecutionId: 'p-1' } };
    expect(told(stateOf(child), { parentStepExecutionId: 'p-2' })).toBe(
      'FAILED |  | answer p UNSTORABLE, update FAILED',
    );
  });
});
