import type { Statements } from './database.ts';

/** A row whose time has come: of a run's own, or of one of its attempts. */
export interface DueRow {
  readonly runId: string;
  readonly stepExecutionId: string | null;
  /** The database's clock, by which it is due. */
  readonly firedAt: Date;
  readonly lease: Lease;
}

/** Times as Postgres writes them: a Date has no microseconds. */
interface Lease {
  readonly table: 'workflow_runs' | 'step_executions';
  readonly id: string;
  readonly wasDueAt: string;
  readonly until: string;
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

interface DueResult {
  id: string;
  run_id: string;
  step_execution_id: string | null;
  fired_at: Date;
  was_due_at: string;
  /** Null: its run is paused. */
  leased_until: string | null;
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
  const claim = async (table: Lease['table'], stepExecutionId: string) => {
    const rows = await statements.many<DueResult>(
      `with due as materialized (
         select id, run_id, wake_at from ${table}
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked),
       held as materialized (
         select paused.run_id from (select distinct run_id from due) as of_due
          cross join lateral (
            select r.run_id from workflow_runs r where r.run_id = of_due.run_id and r.paused_at is not null
               for share skip locked) as paused)
       update ${table} as t
          set wake_at = case when held.run_id is null then now() + $2 * interval '1 millisecond' end
         from due left join held on held.run_id = due.run_id where t.id = due.id
        returning t.id, t.run_id, ${stepExecutionId} as step_execution_id, now() as fired_at,
                  due.wake_at::text as was_due_at, t.wake_at::text as leased_until`,
      [limit, leaseMs],
    );
    const due = rows.flatMap(({ leased_until: until, ...row }): DueRow[] =>
      until === null
        ? []
        : [
            {
              runId: row.run_id,
              stepExecutionId: row.step_execution_id,
              firedAt: row.fired_at,
              lease: { table, id: row.id, wasDueAt: row.was_due_at, until },
            },
          ],
    );
    return { due, taken: rows.length };
  };
  const [attempts, runs] = await Promise.all([
    claim('step_executions', 'step_execution_id'),
    claim('workflow_runs', 'null::text'),
  ]);
  return { due: [...attempts.due, ...runs.due], taken: attempts.taken + runs.taken };
}

/**
 * Rows whose wakes could not be published are due again, since when they were. What a decision has changed meanwhile, or is about
 * to, stays as it is.
 */
export async function giveBackDueTimes(statements: Statements, due: readonly DueRow[]): Promise<void> {
  const giveBack = async (table: Lease['table']) => {
    const leases = due.flatMap(({ lease }) => (lease.table === table ? [lease] : []));
    if (leases.length === 0) return;
    await statements.execute(
      `with mine as materialized (
         select t.id, given.was_due_at
           from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as given (id, was_due_at, until)
           join ${table} as t on t.id = given.id and t.wake_at = given.until
            for update of t skip locked)
       update ${table} as t set wake_at = mine.was_due_at from mine where t.id = mine.id`,
      [leases.map(({ id }) => id), leases.map(({ wasDueAt }) => wasDueAt), leases.map(({ until }) => until)],
    );
  };
  await Promise.all([giveBack('step_executions'), giveBack('workflow_runs')]);
}
