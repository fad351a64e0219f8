import type { Database, Statements } from './database.ts';
import { withinTime } from './limit-time.ts';
import { LAZILY } from './sql.ts';

/*
 * Removing what is past its time: the oldest, at most `atMost` rows, without those that somebody has, so that two timekeepers do
 * not wait for each other. Where there is nothing to do, each looks at the first entry of an index. A removal that a crash undoes
 * is done again.
 */

/** @returns how many there were */
export function removeOldIdempotencyKeys(
  database: Statements,
  { keepDays, atMost }: { readonly keepDays: number; readonly atMost: number },
): Promise<number> {
  return database.execute(
    `with ${LAZILY}, past as materialized (
       select k.user_id, k.key from idempotency_keys k, lazily where k.created_at < now() - $1 * interval '1 day'
        order by k.created_at limit $2 for update of k skip locked
     )
     delete from idempotency_keys k using past where k.user_id = past.user_id and k.key = past.key`,
    [keepDays, atMost],
  );
}

/** The database removes, and leaves an audit record of it (functions/purge_audit_log.sql). @returns how many there were */
export async function purgeAuditLog(
  database: Statements,
  { keepDays, atMost }: { readonly keepDays: number; readonly atMost: number },
): Promise<number> {
  const { removed } = await database.one<{ removed: number }>('select purge_audit_log($1, $2) as removed', [
    keepDays,
    atMost,
  ]);
  return removed;
}

/**
 * What closed so long ago, a month at once where all of it is past (functions/remove_old_runs.sql).
 * @param limitMs what a month takes that is counted before it goes
 * @returns how many there were, or as many as it may be where there may be more
 */
export function removeOldRuns(
  database: Database,
  {
    keepDays,
    atMost,
    limitMs,
  }: { readonly keepDays: number; readonly atMost: number; readonly limitMs: number },
): Promise<number> {
  return withinTime(database, limitMs, async (statements) => {
    const { removed } = await statements.one<{ removed: number }>(
      'select remove_old_runs($1, $2) as removed',
      [keepDays, atMost],
    );
    return removed;
  });
}

/** Months to come: no run waits for its table, and a statement opens no more than it must. */
const MONTHS_AHEAD = 1;

/** One at a time: each for itself waits for a lock, and others behind it. @returns how many were made */
export async function makePartitions(database: Statements): Promise<number> {
  const { made } = await database.one<{ made: number }>('select make_partitions($1, 1) as made', [
    MONTHS_AHEAD,
  ]);
  return made;
}

/**
 * Gives the places of workflows that ended no run for a week to others, when all places are taken. Their counts go too: should
 * they run again, their counters begin at 0, as after a restart.
 */
export async function removeIdleLabels(database: Statements): Promise<void> {
  const removed = await database.execute(
    `delete from labelled_workflows w
      where (select count(*) from labelled_workflows) >= most_labelled_workflows()
        and not exists (select from closed_run_counts c
                         where c.workflow_definition_id = w.workflow_definition_id and c.counted_at > now() - interval '7 days')`,
  );
  if (removed === 0) return;
  await database.execute(
    `with idle as materialized (
       select c.workflow_definition_id, c.status, c.bucket, c.shard from closed_run_counts c
        where c.workflow_definition_id <> '' and c.counted_at < now() - interval '7 days'
          and not exists (select from labelled_workflows w where w.workflow_definition_id = c.workflow_definition_id)
          for update of c skip locked
     )
     delete from closed_run_counts c using idle
      where (c.workflow_definition_id, c.status, c.bucket, c.shard)
          = (idle.workflow_definition_id, idle.status, idle.bucket, idle.shard)`,
  );
}
