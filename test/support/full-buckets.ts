import { createRateLimiter } from '../../shared/auth/rate-limiter.ts';

/** A rate limiter that nobody exhausts, without a database. */
export const fullBuckets = createRateLimiter({
  jwtTier: 'unlimited',
  limits: { take: async (_bucket, capacity) => ({ tokens: capacity - 1, admitted: true }) },
});
