import type { Database, Statements } from './database.ts';

/** A row whose time has come: of a run's own, or of one of its attempts. */
export interface DueRow {
  readonly runId: string;
  readonly stepExecutionId: string | null;
  /** The database's clock, by which it is due. */
  readonly firedAt: Date;
  /** When it was last asked for, by a step request or a wake of which nothing has come; null: its time has come, and nobody was. */
  readonly askedAt: Date | null;
  /** Of a PENDING run about which nothing was decided yet: when its execution request was written. */
  readonly requestedAt: Date | null;
  readonly lease: Lease;
}

/** Times as Postgres writes them: a Date has no microseconds. */
interface Lease {
  readonly table: 'workflow_runs' | 'step_executions';
  readonly until: string;
  /** How long it was when it began. */
  readonly ms: number;
  /** How long the one before was, of which nothing had come; null: there was none. */
  readonly wasMs: number | null;
}

export interface Claimed {
  readonly due: readonly DueRow[];
  /** How many rows were taken, those of paused runs too. */
  readonly taken: number;
}

export interface ClaimOptions {
  readonly limit: number;
  /** How long until the row is due again, should the wake be lost: twice as long each time that nothing comes of it. */
  readonly lease: { readonly firstMs: number; readonly longestMs: number };
  /** How long after its request a step is due. */
  readonly pickUpMs: number;
}

/** What the timekeeper does with rows' times: all that it ever changes. */
export interface DueTimes {
  claim(options: ClaimOptions): Promise<Claimed>;
  /** Rows whose wakes may not have been published. */
  giveBack(due: readonly DueRow[]): Promise<void>;
}

export function createDueTimes(database: Database): DueTimes {
  return {
    claim: (options) => database.transaction((statements) => claimDueTimes(statements, options)),
    giveBack: (due) => database.transaction((statements) => giveBackDueTimes(statements, due)),
  };
}

interface DueResult {
  run_id: string;
  step_execution_id: string | null;
  fired_at: Date;
  asked_at: Date | null;
  requested_at: Date | null;
  /** Null: its run is paused. */
  leased_until: string | null;
  lease_ms: string | null;
  was_ms: string | null;
}

/** Of what is read and written differs only this. */
const TABLES = {
  // Earlier than all that it may wait for: it, or what follows it, was asked for by a request.
  step_executions: {
    key: ['run_id', 'step_execution_id'],
    stepExecutionId: 't.step_execution_id',
    requestedAt: 'null::timestamptz',
    pickUpFrom: `case when wake_at < coalesce(least(due_at, deadline_at, heartbeat_due_at), 'infinity') then wake_at end`,
  },
  workflow_runs: {
    key: ['run_id'],
    stepExecutionId: 'null::text',
    // Where it was paused and resumed since, its request may have been read, and refused: that it waits is not known.
    requestedAt: `case when t.status = 'PENDING' and t.sequence = 0 then t.created_at end`,
    pickUpFrom: 'null::timestamptz',
  },
} as const;

/**
 * Takes rows that are due, oldest first, and pushes them on by a lease that grows as long as nothing comes of it. Rows that another
 * timekeeper has are skipped. What is due of a paused run is taken once and left without a time: its resume gives it one. For that the
 * run is locked, so that no resume is overlooked; where a decision has it, the row is pushed on like any other.
 */
export async function claimDueTimes(
  statements: Statements,
  { limit, lease: { firstMs, longestMs }, pickUpMs }: ClaimOptions,
): Promise<Claimed> {
  const claim = async (table: Lease['table']) => {
    const { key, stepExecutionId, requestedAt, pickUpFrom } = TABLES[table];
    const rows = await statements.many<DueResult>(
      `with due as materialized (
         select ${key.join(', ')}, wake_at, case when wake_at = leased_until then lease_ms end as was_ms, ${pickUpFrom} as pick_up_at
           from ${table}
          where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now()
          order by wake_at limit $1 for update skip locked),
       held as materialized (
         select paused.run_id from (select distinct run_id from due) as of_due
          cross join lateral (
            select r.run_id from workflow_runs r where r.run_id = of_due.run_id and r.paused_at is not null
               for share skip locked) as paused),
       leased as materialized (
         select due.*, case when held.run_id is null then least($3::bigint, greatest($2::bigint, due.was_ms * 2)) end as ms
           from due left join held on held.run_id = due.run_id)
       update ${table} as t
          set wake_at = now() + l.ms * interval '1 millisecond', leased_until = now() + l.ms * interval '1 millisecond',
              lease_ms = l.ms
         from leased as l where ${areSame(key, 't', 'l')}
        returning t.run_id, ${stepExecutionId} as step_execution_id, now() as fired_at, ${requestedAt} as requested_at,
                  coalesce(l.wake_at - l.was_ms * interval '1 millisecond', l.pick_up_at - $4 * interval '1 millisecond') as asked_at,
                  t.leased_until::text as leased_until, l.ms as lease_ms, l.was_ms`,
      [limit, firstMs, longestMs, pickUpMs],
    );
    const due = rows.flatMap(({ leased_until: until, ...row }): DueRow[] =>
      until === null
        ? []
        : [
            {
              runId: row.run_id,
              stepExecutionId: row.step_execution_id,
              firedAt: row.fired_at,
              askedAt: row.asked_at,
              requestedAt: row.requested_at,
              lease: {
                table,
                until,
                ms: Number(row.lease_ms),
                wasMs: row.was_ms === null ? null : Number(row.was_ms),
              },
            },
          ],
    );
    return { due, taken: rows.length };
  };
  const [attempts, runs] = await Promise.all([claim('step_executions'), claim('workflow_runs')]);
  return { due: [...attempts.due, ...runs.due], taken: attempts.taken + runs.taken };
}

/**
 * Rows whose wakes may not have been published are due again now, with the lease that they had: behind those that are due already, so
 * that one that is refused again and again is not all that is ever tried. What a decision has changed meanwhile, or is about to, stays
 * as it is.
 */
export async function giveBackDueTimes(statements: Statements, due: readonly DueRow[]): Promise<void> {
  const giveBack = async (table: Lease['table']) => {
    const given = due.filter(({ lease }) => lease.table === table);
    if (given.length === 0) return;
    const { key } = TABLES[table];
    const names = key.map((column) => `t.${column}`).join(', ');
    await statements.execute(
      `with mine as materialized (
         select ${names}, given.was_ms
           from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[]) as given (run_id, step_execution_id, until, was_ms)
           join ${table} as t on ${areSame(key, 't', 'given')} and t.wake_at = given.until
            for update of t skip locked)
       update ${table} as t
          set wake_at = now(), leased_until = case when mine.was_ms is not null then now() end, lease_ms = mine.was_ms
         from mine where ${areSame(key, 't', 'mine')}`,
      [
        given.map(({ runId }) => runId),
        given.map(({ stepExecutionId }) => stepExecutionId),
        given.map(({ lease }) => lease.until),
        given.map(({ lease }) => lease.wasMs),
      ],
    );
  };
  await Promise.all([giveBack('step_executions'), giveBack('workflow_runs')]);
}

function areSame(key: readonly string[], one: string, other: string): string {
  return key.map((column) => `${one}.${column} = ${other}.${column}`).join(' and ');
}
