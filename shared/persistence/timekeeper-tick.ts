import type { Statements } from './database.ts';
import { LAZILY } from './sql.ts';

/** The timekeeper is there. Losing a tick in a crash is no loss: the commit does not wait for the disk. */
export async function recordTick(database: Statements): Promise<void> {
  await database.execute(
    `with ${LAZILY}
     update timekeeper_tick set ticked_at = now() from lazily where only_row`,
  );
}
