import type { RateState } from '../../../shared/auth/rate-limiter.ts';

/** The draft has no word for no limit: the largest number that such a field can hold (RFC 9651, Integers) is as good as none. */
const NO_LIMIT = 999_999_999_999_999;

/** `RateLimit` and `RateLimit-Policy` as of the IETF's draft-ietf-httpapi-ratelimit-headers-10; every answer has them. */
export function rateHeaders({ policy, capacity, remaining, resetSeconds }: RateState) {
  return {
    'RateLimit-Policy': `"${policy}";q=${capacity ?? NO_LIMIT};w=60`,
    RateLimit: `"${policy}";r=${remaining ?? NO_LIMIT};t=${resetSeconds}`,
  };
}
