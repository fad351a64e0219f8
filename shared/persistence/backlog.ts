import type { Database } from './database.ts';

/** How far behind the system is, in seconds; 0 where nothing waits. */
export interface Backlog {
  /** Of the oldest messages that are committed and not published. */
  readonly outboxAgeSeconds: number;
  /** By how much the oldest timer that is due is late. */
  readonly timerLagSeconds: number;
  /** Since the oldest run was created that has not begun. */
  readonly oldestPendingRunSeconds: number;
}

interface BacklogRow {
  outbox: number | null;
  step_timer: number | null;
  run_timer: number | null;
  pending: number | null;
}

/** Each part reads one row from the end of an index. */
export async function readBacklog(database: Database): Promise<Backlog> {
  const row = await database.one<BacklogRow>(
    `select extract(epoch from now() - (select created_at from outbox order by id limit 1))::float8 as outbox,
            extract(epoch from now() - (
              select wake_at from step_executions
               where wake_at is not null and status in ('PENDING', 'RUNNING') order by wake_at limit 1))::float8 as step_timer,
            extract(epoch from now() - (
              select wake_at from workflow_runs
               where wake_at is not null and status in ('PENDING', 'RUNNING') order by wake_at limit 1))::float8 as run_timer,
            extract(epoch from now() - (
              select created_at from workflow_runs where status = 'PENDING' order by created_at limit 1))::float8 as pending`,
  );
  const late = (seconds: number | null) => Math.max(0, seconds ?? 0);
  return {
    outboxAgeSeconds: late(row.outbox),
    timerLagSeconds: Math.max(late(row.step_timer), late(row.run_timer)),
    oldestPendingRunSeconds: late(row.pending),
  };
}
