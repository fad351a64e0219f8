import type { Statements } from './database.ts';

/** The timekeeper is there. It looks twice a second; the row tells it to five, and losing a tick in a crash is no loss. */
export async function recordTick(database: Statements): Promise<void> {
  await database.execute(
    `with lazily as materialized (select set_config('synchronous_commit', 'off', true))
     update timekeeper_tick set ticked_at = now() from lazily
      where only_row and (ticked_at is null or ticked_at < now() - interval '5 seconds')`,
  );
}
