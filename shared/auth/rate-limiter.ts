import { LRUCache } from 'lru-cache';
import { failedAuthenticationsPerMinute, requestsPerMinute, type Tier } from '../config/rate-limits.ts';
import type { Caller } from './caller.ts';

export interface RateLimits {
  /**
   * Takes a token out of a bucket, which holds `capacity` and refills as many a minute; a new one is full.
   * @returns what is left, and whether there was one to take
   */
  take(bucket: string, capacity: number): Promise<{ readonly tokens: number; readonly admitted: boolean }>;
}

/** Where a bucket stands after a request. */
export interface RateState {
  readonly policy: string;
  /** Tokens, and so requests a minute; null: no limit. */
  readonly capacity: number | null;
  /** Whole requests that are left; null: no limit. */
  readonly remaining: number | null;
  /** Until the bucket is full again. */
  readonly resetSeconds: number;
  /** Null where the request was admitted. */
  readonly retryAfterSeconds: number | null;
}

export interface RateLimiter {
  /** Callers without a limit cost no statement. */
  admit(caller: Caller): Promise<RateState>;
  /** Counts credentials that were wrong, by the address that they came from. */
  admitFailure(sourceAddress: string): Promise<RateState>;
  /** What holds for an address whose credentials nobody has looked at, as far as it is known here; costs no statement. */
  stateOfAddress(sourceAddress: string): RateState;
}

export interface RateLimiterDeps {
  readonly limits: RateLimits;
  /** Of callers by JWT. */
  readonly jwtTier: Tier;
  readonly nowMs?: () => number;
}

const FAILURES = 'failed-authentications';
const MAX_REMEMBERED = 10_000;

/**
 * Buckets in the database, and so the same for every Lambda: one for all that a user comes with of one tier, keys and tokens,
 * since a user makes as many keys as they like; an admin, who may make keys without a limit, has one for each key.
 */
export function createRateLimiter(deps: RateLimiterDeps): RateLimiter {
  const { limits, jwtTier, nowMs = () => Date.now() } = deps;
  // Others may have taken tokens since: a bucket holds what it refilled since then at the most. So one that must be empty still
  // is not asked, and a flood of refused requests costs no statements.
  const lastSeen = new LRUCache<string, { readonly tokens: number; readonly atMs: number }>({
    max: MAX_REMEMBERED,
  });

  function tokensAtMost(bucket: string, capacity: number): number {
    const seen = lastSeen.get(bucket);
    if (!seen) return capacity;
    return Math.min(capacity, seen.tokens + ((nowMs() - seen.atMs) / 60_000) * capacity);
  }

  async function take(bucket: string, policy: string, capacity: number): Promise<RateState> {
    const tokens = tokensAtMost(bucket, capacity);
    if (tokens < 1) return stateOf(policy, capacity, { tokens, admitted: false });
    const taken = await limits.take(bucket, capacity);
    lastSeen.set(bucket, { tokens: taken.tokens, atMs: nowMs() });
    return stateOf(policy, capacity, taken);
  }

  return {
    async admit({ key, via, userId, isAdmin }) {
      const tier = via === 'anonymous' ? 'unlimited' : (key?.tier ?? jwtTier);
      const capacity = requestsPerMinute[tier];
      if (capacity === null) return unlimited;
      return take(key && isAdmin ? `key:${key.id}` : `user:${tier}:${userId}`, tier, capacity);
    },
    admitFailure: (sourceAddress) => take(bucketOf(sourceAddress), FAILURES, failedAuthenticationsPerMinute),
    stateOfAddress(sourceAddress) {
      const tokens = tokensAtMost(bucketOf(sourceAddress), failedAuthenticationsPerMinute);
      return stateOf(FAILURES, failedAuthenticationsPerMinute, { tokens, admitted: true });
    },
  };
}

const unlimited: RateState = {
  policy: 'unlimited',
  capacity: null,
  remaining: null,
  resetSeconds: 0,
  retryAfterSeconds: null,
};

function stateOf(
  policy: string,
  capacity: number,
  { tokens, admitted }: { readonly tokens: number; readonly admitted: boolean },
): RateState {
  const perSecond = capacity / 60;
  return {
    policy,
    capacity,
    remaining: admitted ? Math.floor(tokens) : 0,
    resetSeconds: Math.ceil((capacity - tokens) / perSecond),
    retryAfterSeconds: admitted ? null : Math.max(1, Math.ceil((1 - tokens) / perSecond)),
  };
}

function bucketOf(sourceAddress: string): string {
  return `address:${networkOf(sourceAddress)}`;
}

/** An IPv6 host has 2^64 addresses of its own to come from: its network counts. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
