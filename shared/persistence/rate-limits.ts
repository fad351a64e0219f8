import type { RateLimits } from '../auth/rate-limiter.ts';
import type { Statements } from './database.ts';
import { LAZILY } from './sql.ts';

export function createRateLimits(database: Statements): RateLimits {
  return {
    /**
     * One statement, whose commit does not wait for the disk: tokens that a crash gives back are no loss. Concurrent Lambdas take
     * turns on the row, and `clock_timestamp()` is read when a turn comes: `now()` would be from before the wait.
     */
    async take(bucket, capacity) {
      return database.one<{ tokens: number; admitted: boolean }>(
        `with ${LAZILY}
         insert into rate_limits as b (bucket, tokens, refilled_at, admitted)
         select $1, $2::double precision - 1, clock_timestamp(), true from lazily
         on conflict (bucket) do update set (tokens, refilled_at, admitted) = (
           select case when available >= 1 then available - 1 else available end, at, available >= 1
           from (
             select least($2, b.tokens + greatest(0, extract(epoch from at - b.refilled_at)) * $2 / 60) as available, at
             from (select clock_timestamp() as at) moment
           ) refilled
         )
         returning tokens, admitted`,
        [bucket, capacity],
      );
    },
  };
}

/**
 * Buckets that have had the time to fill up are as good as none. Reads the table: an index on a time that changes with each
 * request would cost each request more than this does, of who called in the last minutes. @returns how many there were
 */
export function removeFullBuckets(
  database: Statements,
  { atMost }: { readonly atMost: number },
): Promise<number> {
  return database.execute(
    `with ${LAZILY}, full_ones as materialized (
       select b.bucket from rate_limits b, lazily where b.refilled_at < now() - interval '2 minutes'
        limit $1 for update of b skip locked
     )
     delete from rate_limits b using full_ones where b.bucket = full_ones.bucket`,
    [atMost],
  );
}
