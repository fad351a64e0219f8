import { requestsPerMinute, type Tier } from '../config/rate-limits.ts';
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
  /** Tokens, and so requests a minute. */
  readonly capacity: number;
  /** Whole requests that are left. */
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly resetSeconds: number;
  /** Null where the request was admitted. */
  readonly retryAfterSeconds: number | null;
}

export interface RateLimiter {
  /** Null for callers without a limit: they cost no statement. */
  admit(caller: Caller): Promise<RateState | null>;
  /** Counts credentials that were wrong, by the address that they came from. */
  admitFailure(sourceAddress: string): Promise<RateState>;
}

export interface RateLimiterDeps {
  readonly limits: RateLimits;
  /** Of callers by JWT. */
  readonly jwtTier: Tier;
  readonly nowMs?: () => number;
}

/** Only what was sent and wrong counts, and right credentials pass whatever their neighbours behind the same address do. */
const FAILURES_PER_MINUTE = 100;
const MAX_REMEMBERED = 10_000;

/** One bucket for each key and each user of a JWT, in the database and so the same for every Lambda. */
export function createRateLimiter(deps: RateLimiterDeps): RateLimiter {
  const { limits, jwtTier, nowMs = () => Date.now() } = deps;
  // An empty bucket has nothing to give until then, so that a flood of refused requests costs no statements.
  const emptyUntil = new Map<string, number>();

  async function take(bucket: string, policy: string, capacity: number): Promise<RateState> {
    const perSecond = capacity / 60;
    const blockedMs = (emptyUntil.get(bucket) ?? 0) - nowMs();
    if (blockedMs > 0) {
      const missing = (blockedMs / 1_000) * perSecond;
      return stateOf(policy, capacity, { tokens: 1 - missing, admitted: false });
    }
    emptyUntil.delete(bucket);
    const taken = await limits.take(bucket, capacity);
    if (!taken.admitted) {
      if (emptyUntil.size >= MAX_REMEMBERED) emptyUntil.clear();
      emptyUntil.set(bucket, nowMs() + ((1 - taken.tokens) / perSecond) * 1_000);
    }
    return stateOf(policy, capacity, taken);
  }

  return {
    async admit({ key, via, userId }) {
      const tier = via === 'anonymous' ? 'unlimited' : (key?.tier ?? jwtTier);
      const capacity = requestsPerMinute[tier];
      if (capacity === null) return null;
      return take(key ? `key:${key.id}` : `jwt:${userId}`, tier, capacity);
    },
    admitFailure: (sourceAddress) =>
      take(`address:${networkOf(sourceAddress)}`, 'failed-authentications', FAILURES_PER_MINUTE),
  };
}

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
