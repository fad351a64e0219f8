import { describe, expect, it } from 'vitest';
import type { Json } from '../../../../shared/engine/json.ts';
import type { FailStep, PassStep, SucceedStep } from '../../../../shared/engine/plan.ts';
import { broken, child, expression, join, stepBase } from '../../../support/engine-states.ts';
import {
  decided,
  decideStep,
  events,
  paused,
  requested,
  running,
  type StepCase,
  tellStep,
} from '../../../support/step-cases.ts';

const pass: PassStep = {
  ...stepBase('it'),
  type: 'pass',
  result: expression(() => ({ made: 1 })),
  next: 'then',
};
const succeed: SucceedStep = { ...pass, type: 'succeed' };
const fail = (failure: Json): FailStep => ({
  ...stepBase('it'),
  type: 'fail',
  failure: expression(() => failure),
});
const requestedCase = { attempt: requested() };

/** The step stands in a branch of `around`, beside another that is under way. */
const around = { ...stepBase('around'), type: 'parallel' as const, needed: 2, branches: [] };
const inBranch: StepCase = {
  attempt: requested({ scope: 'around#1/a' }),
  beside: [running({ stepExecutionId: 'a-0', stepId: 'around' })],
  data: {
    joins: [join({ path: 'around#1', stepId: 'around', stepExecutionId: 'a-0' })],
    children: [child('around#1/a', 0)],
  },
};
const inner = { within: 'around', depth: 1 };

describe('a pass step', () => {
  it.each([events.requested, events.woken])('completes with its result: $type', (event) => {
    expect(tellStep([pass], requestedCase, event)).toBe(
      'RUNNING | it#1 COMPLETED, then#1 PENDING | update RUNNING it COMPLETED, update RUNNING then PENDING, request n-1',
    );
    expect(decided(decideStep([pass], requestedCase, event)).attempts.get('a-1')?.outputData).toEqual({
      made: 1,
    });
  });

  it('at the end completes the run with it', () => {
    const state = decided(decideStep([{ ...pass, next: null }], requestedCase, events.requested));
    expect(state.run).toMatchObject({ status: 'COMPLETED', outputData: { made: 1 } });
  });

  it('is not started while the run is paused', () => {
    expect(tellStep([pass], { ...requestedCase, run: paused }, events.requested)).toBe('RUN_PAUSED');
    expect(tellStep([pass], { ...requestedCase, run: paused }, events.resumed)).toBe(
      'RUNNING | it#1 PENDING | update RUNNING, request a-1',
    );
  });

  it('EXPRESSION_ERROR: its result cannot be made', () => {
    const state = decided(decideStep([{ ...pass, result: broken }], requestedCase, events.requested));
    expect(state.run.error?.code).toBe('EXPRESSION_ERROR');
  });
});

describe('a succeed step', () => {
  it('completes the run, whatever is written after it', () => {
    const state = decided(decideStep([succeed], requestedCase, events.requested));
    expect(state.run).toMatchObject({ status: 'COMPLETED', outputData: { made: 1 } });
    expect(tellStep([succeed], requestedCase, events.requested)).toBe(
      'COMPLETED | it#1 COMPLETED | update RUNNING it COMPLETED, update COMPLETED',
    );
  });

  it('in a branch completes that and no more', () => {
    const state = decided(decideStep([{ ...succeed, ...inner }, around], inBranch, events.requested));
    expect(state.run.status).toBe('RUNNING');
    expect(state.children.get('around#1/a')).toMatchObject({ status: 'COMPLETED', output: { made: 1 } });
    expect(state.joins.get('around#1')).toMatchObject({
      completed: 1,
      outputBytes: '{"made":1}'.length,
      isOver: false,
    });
  });
});

describe('a fail step', () => {
  it.each<[Json, string, string]>([
    [{ code: 'NO_STOCK', message: 'none left' }, 'NO_STOCK', 'none left'],
    [{ code: 'NO_STOCK' }, 'NO_STOCK', 'The workflow says so'],
    [{ message: { of: 3 } }, 'FAILED', '{"of":3}'],
    [{ code: '', message: '' }, 'FAILED', 'The workflow says so'],
    [null, 'FAILED', 'The workflow says so'],
    [{ code: 'x'.repeat(150), message: 7 }, 'x'.repeat(150), '7'],
  ])('%j fails the run with its code and message', (failure, code, message) => {
    const state = decided(decideStep([fail(failure)], requestedCase, events.requested));
    expect(state.attempts.get('a-1')).toMatchObject({ status: 'FAILED', error: { code, message } });
    expect(state.run).toMatchObject({ status: 'FAILED', error: { code, stepId: 'it', attempt: 1 } });
  });

  it('is neither retried nor caught by itself: it is meant', () => {
    const retry = [{ maxAttempts: 9, initialIntervalMs: 0, backoffRate: 1, maxIntervalMs: 0, codes: null }];
    const step: FailStep = {
      ...fail({ code: 'NO' }),
      retry: retry.map((each) => ({ ...each, jitter: 'none' })),
      catch: [{ codes: null, next: 'handler' }],
    };
    expect(tellStep([step], requestedCase, events.requested)).toBe(
      'FAILED | it#1 FAILED | update RUNNING it FAILED, update FAILED',
    );
  });

  it('in a branch fails that: its container asks for its step', () => {
    expect(tellStep([{ ...fail({ code: 'NO' }), ...inner }, around], inBranch, events.requested)).toBe(
      'RUNNING | around#1/a:it#1 FAILED, around#1 RUNNING | update RUNNING around#1/a:it FAILED, request a-0',
    );
  });
});

it.each([
  ['its code', { code: 'X\ude00', message: 'm' }, 'X\ufffd', 'm'],
  ['its message', { code: 'X', message: 'a\ud83d\u0000' }, 'X', 'a\ufffd\ufffd'],
])('a fail step never fails with what cannot be stored: %s', (_, failure, code, message) => {
  const state = decided(decideStep([fail(failure)], requestedCase, events.requested));
  expect(state.attempts.get('a-1')?.error).toEqual({ code, message });
  expect(JSON.stringify(state.run.error).isWellFormed()).toBe(true);
});
