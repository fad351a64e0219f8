import { retention } from '../../shared/config/retention.ts';
import type { Statements } from '../../shared/persistence/database.ts';
import {
  makePartitions,
  purgeAuditLog,
  removeIdleLabels,
  removeOldIdempotencyKeys,
} from '../../shared/persistence/purge.ts';
import { removeFullBuckets } from '../../shared/persistence/rate-limits.ts';

export interface PurgeDeps {
  readonly database: Statements;
  readonly auditRetentionDays: number;
}

/** So many rows of a table at once: a look for due timers must not wait long behind it. */
const BATCH = 1_000;

/** Removes a batch of what is past its time, and makes room for what is to come. @returns whether there may be more to do */
export async function purge({ database, auditRetentionDays }: PurgeDeps): Promise<boolean> {
  const tasks = [
    async () => (await makePartitions(database)) > 0,
    async () => isBatch(await removeFullBuckets(database, { atMost: BATCH })),
    async () =>
      isBatch(
        await removeOldIdempotencyKeys(database, { keepDays: retention.idempotencyKeyDays, atMost: BATCH }),
      ),
    async () => isBatch(await purgeAuditLog(database, { keepDays: auditRetentionDays, atMost: BATCH })),
    async () => {
      await removeIdleLabels(database);
      return false;
    },
  ];
  const failures: unknown[] = [];
  let hasMore = false;
  // None keeps the others from their turn.
  for (const task of tasks) {
    try {
      if (await task()) hasMore = true;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return hasMore;
}

function isBatch(removed: number): boolean {
  return removed >= BATCH;
}
