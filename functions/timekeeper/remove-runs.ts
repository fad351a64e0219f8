import type { Database } from '../../shared/persistence/database.ts';
import { removeOldRuns } from '../../shared/persistence/purge.ts';

export interface RemoveRunsDeps {
  readonly database: Database;
  /** 0: for ever. */
  readonly runRetentionDays: number;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/** So many runs at once, with all that they have. */
const BATCH = 200;

/** Removes runs that are past their time, beside the looks at due timers, which wait for none of it. @param end by the clock */
export async function removeRuns(
  { database, runRetentionDays, clock }: RemoveRunsDeps,
  end: number,
): Promise<void> {
  if (runRetentionDays === 0) return;
  for (;;) {
    const limitMs = Math.floor(end - clock());
    if (limitMs <= 0) return;
    const removed = await removeOldRuns(database, { keepDays: runRetentionDays, atMost: BATCH, limitMs });
    if (removed < BATCH) return;
  }
}
