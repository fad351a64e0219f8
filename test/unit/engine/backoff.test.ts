import { describe, expect, it } from 'vitest';
import { nextTry, type Tries } from '../../../shared/engine/backoff.ts';
import type { AgentFailure } from '../../../shared/engine/event.ts';
import type { RetryPolicy } from '../../../shared/engine/plan.ts';
import { policy } from '../../support/engine-states.ts';

const failure = (given: Partial<AgentFailure> = {}): AgentFailure => ({
  code: 'BUSY',
  message: 'later',
  retryable: true,
  ...given,
});
const neverDrawn = () => {
  throw new Error('No jitter was to be drawn');
};

const tries = (policyAttempt: number, policyRetries: Tries['policyRetries'] = null): Tries => ({
  policyAttempt,
  policyRetries,
});
const backoffMs = (
  policies: readonly RetryPolicy[],
  failed: AgentFailure,
  attempt: number,
  jitter: () => number,
): number | null => nextTry(policies, failed, tries(attempt), jitter)?.delayMs ?? null;

describe('the next try', () => {
  it.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [4, 8_000],
    [5, 10_000],
    [6, 10_000],
    [7, null],
    [8, null],
  ])('after attempt %i of 7 waits %s ms: the rate grows it, the interval caps it', (attempt, expected) => {
    const policies = [policy({ maxAttempts: 7, maxIntervalMs: 10_000 })];
    expect(backoffMs(policies, failure(), attempt, neverDrawn)).toBe(expected);
  });

  it.each([
    [0, 0],
    [0.25, 500],
    [0.9999, 2_000],
  ])('with full jitter a draw of %d is %i ms of the 2,000', (drawn, expected) => {
    expect(backoffMs([policy({ jitter: 'full' })], failure(), 2, () => drawn)).toBe(expected);
  });

  it('draws jitter below the cap, not below what was grown', () => {
    const policies = [policy({ maxAttempts: 100, maxIntervalMs: 3_000, jitter: 'full' })];
    expect(backoffMs(policies, failure(), 50, () => 0.5)).toBe(1_500);
  });

  it('stays a number where the growth leaves what a clock can hold', () => {
    const policies = [policy({ maxAttempts: 100, backoffRate: 100, maxIntervalMs: 86_400_000 })];
    expect(backoffMs(policies, failure(), 99, neverDrawn)).toBe(86_400_000);
  });

  it('does not retry what the agent calls final, whatever the policy and Retry-After say', () => {
    expect(backoffMs([policy()], failure({ retryable: false, retryAfterMs: 5 }), 1, neverDrawn)).toBeNull();
  });

  it('does not retry without a policy', () => {
    expect(backoffMs([], failure(), 1, neverDrawn)).toBeNull();
  });

  it('takes the first policy that is for the code, and none where none is', () => {
    const policies = [
      policy({ codes: ['TIMEOUT', 'BUSY'], initialIntervalMs: 7 }),
      policy({ codes: ['RATE_LIMITED'], initialIntervalMs: 11 }),
    ];
    expect(backoffMs(policies, failure({ code: 'BUSY' }), 1, neverDrawn)).toBe(7);
    expect(backoffMs(policies, failure({ code: 'RATE_LIMITED' }), 1, neverDrawn)).toBe(11);
    expect(backoffMs(policies, failure({ code: 'OTHER' }), 1, neverDrawn)).toBeNull();
    expect(backoffMs([...policies, policy()], failure({ code: 'OTHER' }), 1, neverDrawn)).toBe(1_000);
  });

  it('does not go on to a later policy when the first that is for the code has run out', () => {
    const policies = [policy({ codes: ['BUSY'], maxAttempts: 2 }), policy({ maxAttempts: 9 })];
    expect(backoffMs(policies, failure(), 2, neverDrawn)).toBeNull();
  });

  it.each([
    [500, 1_000],
    [90_000, 90_000],
    [90_000.4, 90_000],
  ])('Retry-After of %d ms makes it %i: a floor, also above the cap', (retryAfterMs, expected) => {
    expect(backoffMs([policy()], failure({ retryAfterMs }), 1, neverDrawn)).toBe(expected);
  });

  it('Retry-After does not open an attempt that the policy does not have', () => {
    expect(backoffMs([policy({ maxAttempts: 1 })], failure({ retryAfterMs: 5 }), 1, neverDrawn)).toBeNull();
  });
});

describe('each policy of a list counts for itself', () => {
  const policies = [
    policy({ codes: ['BUSY'], maxAttempts: 3, initialIntervalMs: 1_000 }),
    policy({ codes: ['TIMEOUT'], maxAttempts: 2, initialIntervalMs: 50 }),
    policy({ codes: null, maxAttempts: 4, initialIntervalMs: 7 }),
  ];

  it('its attempts and its intervals, whatever others granted in between', () => {
    const codes = ['TIMEOUT', 'BUSY', 'ODD', 'BUSY', 'ODD', 'ODD'];
    let last = tries(1);
    const delays = codes.map((code) => {
      const granted = nextTry(policies, failure({ code }), last, neverDrawn);
      last = granted ?? last;
      return granted?.delayMs;
    });
    expect(delays).toEqual([50, 1_000, 7, 2_000, 14, 28]);
    expect(last).toMatchObject({ policyAttempt: 7, policyRetries: [2, 1, 3] });
    for (const code of ['BUSY', 'TIMEOUT', 'ODD'])
      expect(nextTry(policies, failure({ code }), last, neverDrawn)).toBeNull();
  });

  it('a list of one keeps no counts beside that of attempts', () => {
    expect(nextTry([policy()], failure(), tries(2), neverDrawn)).toEqual({
      delayMs: 2_000,
      policyAttempt: 3,
      policyRetries: null,
    });
  });

  it('an attempt of a version that counted them together goes on from that count', () => {
    expect(nextTry(policies, failure(), tries(2), neverDrawn)).toEqual({
      delayMs: 2_000,
      policyAttempt: 3,
      policyRetries: [2, 1, 1],
    });
    expect(nextTry(policies, failure({ code: 'TIMEOUT' }), tries(2), neverDrawn)).toBeNull();
  });

  it('a policy that the list did not have when it was counted has granted none', () => {
    expect(nextTry(policies, failure({ code: 'ODD' }), tries(3, [2]), neverDrawn)).toMatchObject({
      delayMs: 7,
      policyRetries: [2, 0, 1],
    });
  });
});
