import type { AgentFailure } from './event.ts';
import type { RetryPolicy } from './plan.ts';
import type { Attempt } from './state.ts';

export type Tries = Pick<Attempt, 'policyAttempt' | 'policyRetries'>;

export interface NextTry extends Tries {
  readonly delayMs: number;
}

/**
 * What the first policy that is for the failure grants, or null when the failure is final (design §4, Retries). As in the Amazon
 * States Language, each policy counts for itself: what others granted before neither uses it up nor grows its intervals.
 * @param failed the attempt that failed, as its policies count it
 * @param jitter drawn by the caller, in [0, 1)
 */
export function nextTry(
  policies: readonly RetryPolicy[],
  failure: AgentFailure,
  failed: Tries,
  jitter: () => number,
): NextTry | null {
  if (!failure.retryable) return null;
  const which = policies.findIndex(({ codes }) => codes === null || codes.includes(failure.code));
  const policy = policies[which];
  if (policy === undefined) return null;
  const granted = policies.map((_, i) => grantedBy(i, failed));
  const before = granted[which] ?? 0;
  if (before + 1 >= policy.maxAttempts) return null;
  const grown = policy.initialIntervalMs * policy.backoffRate ** before;
  const ceiling = Math.min(grown, policy.maxIntervalMs);
  const delay = policy.jitter === 'full' ? jitter() * ceiling : ceiling;
  return {
    delayMs: Math.round(Math.max(delay, failure.retryAfterMs ?? 0)),
    policyAttempt: failed.policyAttempt + 1,
    // Of a list of one, all attempts but the first.
    policyRetries: policies.length > 1 ? granted.with(which, before + 1) : null,
  };
}

function grantedBy(policy: number, { policyAttempt, policyRetries }: Tries): number {
  // Of a list of one policy, or of a version before that had one count for a whole list.
  return policyRetries === null ? policyAttempt - 1 : (policyRetries[policy] ?? 0);
}
