import type { Statements } from './database.ts';

/** A row whose time has come: of a run's own, or of one of its attempts. */
export interface DueRow {
  readonly runId: string;
  readonly stepExecutionId: string | null;
  /** The database's clock, by which it is due. */
  readonly firedAt: Date;
}

export interface Claimed {
  readonly due: readonly DueRow[];
  /** How many rows were taken, those of paused runs too. */
  readonly taken: number;
}

interface DueOptions {
  readonly limit: number;
  /** How long until the row is due again, should the wake be lost. */
  readonly leaseMs: number;
}

interface ClaimedRow {
  readonly run_id: string;
  readonly step_execution_id: string | null;
  readonly fired_at: Date;
  readonly is_held: boolean;
}

/**
 * Takes rows that are due, oldest first, and pushes them on by the lease: all that the timekeeper ever changes. Rows that
 * another timekeeper has are skipped. What is due of a paused run is taken once and left without a time: its resume gives it one.
 * For that the run is locked, so that no resume is overlooked; where a decision has it, the row is pushed on like any other.
 */
export async function claimDueTimes(
  statements: Statements,
  { limit, leaseMs }: DueOptions,
): Promise<Claimed> {
  const [attempts, runs] = await Promise.all([
    statements.many<ClaimedRow & Record<string, unknown>>(
      `with due as materialized (
         select id, run_id from step_executions
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked),
       held as materialized (
         select paused.run_id from (select distinct run_id from due) as of_due
          cross join lateral (
            select r.run_id from workflow_runs r where r.run_id = of_due.run_id and r.paused_at is not null
               for share skip locked) as paused)
       update step_executions as t
          set wake_at = case when held.run_id is null then now() + $2 * interval '1 millisecond' end
         from due left join held on held.run_id = due.run_id where t.id = due.id
        returning t.run_id, step_execution_id, now() as fired_at, held.run_id is not null as is_held`,
      [limit, leaseMs],
    ),
    statements.many<ClaimedRow & Record<string, unknown>>(
      `with due as materialized (
         select id from workflow_runs
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked)
       update workflow_runs as t
          set wake_at = case when paused_at is null then now() + $2 * interval '1 millisecond' end
         from due where t.id = due.id
        returning run_id, null as step_execution_id, now() as fired_at, paused_at is not null as is_held`,
      [limit, leaseMs],
    ),
  ]);
  const taken = [...attempts, ...runs];
  return { due: taken.filter(({ is_held }) => !is_held).map(dueRow), taken: taken.length };
}

function dueRow(row: ClaimedRow): DueRow {
  return { runId: row.run_id, stepExecutionId: row.step_execution_id, firedAt: row.fired_at };
}
