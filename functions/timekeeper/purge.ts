import { retention } from '../../shared/config/retention.ts';
import type { Statements } from '../../shared/persistence/database.ts';
import { purgeAuditLog, removeIdleLabels, removeOldIdempotencyKeys } from '../../shared/persistence/purge.ts';
import { removeFullBuckets } from '../../shared/persistence/rate-limits.ts';

export interface PurgeDeps {
  readonly database: Statements;
  readonly auditRetentionDays: number;
}

/** So many rows of a table at once: a look for due timers must not wait long behind it. */
const BATCH = 1_000;

/** Removes a batch of what is past its time. @returns whether there may be more */
export async function purge({ database, auditRetentionDays }: PurgeDeps): Promise<boolean> {
  const removals = [
    () => removeFullBuckets(database, { atMost: BATCH }),
    () => removeOldIdempotencyKeys(database, { keepDays: retention.idempotencyKeyDays, atMost: BATCH }),
    () => purgeAuditLog(database, { keepDays: auditRetentionDays, atMost: BATCH }),
    () => removeIdleLabels(database),
  ];
  const failures: unknown[] = [];
  let hasMore = false;
  // None keeps the others from their turn.
  for (const remove of removals) {
    try {
      if ((await remove()) === BATCH) hasMore = true;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return hasMore;
}
