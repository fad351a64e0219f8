import type { AgentFailure } from './event.ts';
import type { RetryPolicy } from './plan.ts';

/**
 * How long to wait before the next attempt, in milliseconds, or null when the failure is final (design §4, Retries).
 * @param policyAttempt the attempt that failed, counted from 1
 * @param jitter drawn by the caller, in [0, 1)
 */
export function backoffMs(
  policies: readonly RetryPolicy[],
  failure: AgentFailure,
  policyAttempt: number,
  jitter: () => number,
): number | null {
  if (!failure.retryable) return null;
  const policy = policies.find(({ codes }) => codes === null || codes.includes(failure.code));
  if (policy === undefined || policyAttempt >= policy.maxAttempts) return null;
  const grown = policy.initialIntervalMs * policy.backoffRate ** (policyAttempt - 1);
  const ceiling = Math.min(grown, policy.maxIntervalMs);
  const delay = policy.jitter === 'full' ? jitter() * ceiling : ceiling;
  return Math.round(Math.max(delay, failure.retryAfterMs ?? 0));
}
