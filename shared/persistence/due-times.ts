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
  leased_until: string;
}

/**
 * Takes rows that are due, oldest first, and pushes them on by the lease: all that the timekeeper ever changes. Rows that
 * another timekeeper has are skipped.
 */
export async function claimDueTimes(
  statements: Statements,
  { limit, leaseMs }: DueOptions,
): Promise<DueRow[]> {
  const claim = async (table: Lease['table'], stepExecutionId: string): Promise<DueRow[]> => {
    const rows = await statements.many<DueResult>(
      `with due as materialized (
         select id, wake_at from ${table}
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked)
       update ${table} as t set wake_at = now() + $2 * interval '1 millisecond' from due where t.id = due.id
        returning t.id, run_id, ${stepExecutionId} as step_execution_id, now() as fired_at,
                  due.wake_at::text as was_due_at, t.wake_at::text as leased_until`,
      [limit, leaseMs],
    );
    return rows.map((row) => ({
      runId: row.run_id,
      stepExecutionId: row.step_execution_id,
      firedAt: row.fired_at,
      lease: { table, id: row.id, wasDueAt: row.was_due_at, until: row.leased_until },
    }));
  };
  const claimed = await Promise.all([
    claim('step_executions', 'step_execution_id'),
    claim('workflow_runs', 'null::text'),
  ]);
  return claimed.flat();
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
