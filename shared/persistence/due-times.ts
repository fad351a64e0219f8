import type { Statements } from './database.ts';

/** A row whose time has come: of a run's own, or of one of its attempts. */
export interface DueRow {
  readonly runId: string;
  readonly stepExecutionId: string | null;
  /** The database's clock, by which it is due. */
  readonly firedAt: Date;
}

interface DueOptions {
  readonly limit: number;
  /** How long until the row is due again, should the wake be lost. */
  readonly leaseMs: number;
}

/**
 * Takes rows that are due, oldest first, and pushes them on by the lease: all that the timekeeper ever changes. Rows that
 * another timekeeper has are skipped.
 */
export async function claimDueTimes(
  statements: Statements,
  { limit, leaseMs }: DueOptions,
): Promise<DueRow[]> {
  const [attempts, runs] = await Promise.all([
    statements.many<{ run_id: string; step_execution_id: string; fired_at: Date }>(
      `with due as materialized (
         select id from step_executions
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked)
       update step_executions as t set wake_at = now() + $2 * interval '1 millisecond' from due where t.id = due.id
        returning run_id, step_execution_id, now() as fired_at`,
      [limit, leaseMs],
    ),
    statements.many<{ run_id: string; fired_at: Date }>(
      `with due as materialized (
         select id from workflow_runs
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked)
       update workflow_runs as t set wake_at = now() + $2 * interval '1 millisecond' from due where t.id = due.id
        returning run_id, now() as fired_at`,
      [limit, leaseMs],
    ),
  ]);
  return [
    ...attempts.map((row) => ({
      runId: row.run_id,
      stepExecutionId: row.step_execution_id,
      firedAt: row.fired_at,
    })),
    ...runs.map((row) => ({ runId: row.run_id, stepExecutionId: null, firedAt: row.fired_at })),
  ];
}
