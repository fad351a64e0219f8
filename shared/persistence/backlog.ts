import type { Statements } from './database.ts';

/** What waits to be done, by the database's clock. Ages and lags are null where nothing waits. */
export interface Backlog {
  /** Null: it never has. */
  readonly last_tick_at: Date | null;
  readonly last_tick_age_seconds: number | null;
  readonly oldest_outbox_row_age_seconds: number | null;
  /** For how long the row that is due the longest has been: of a run, and of an attempt. */
  readonly run_due_lag_seconds: number | null;
  readonly step_due_lag_seconds: number | null;
  /** Of those that no pause holds. */
  readonly oldest_pending_run_age_seconds: number | null;
}

/** Rows, counted up to `MOST_COUNTED`. */
export interface BacklogSizes {
  readonly outbox_rows: number;
  readonly pending_runs: number;
  readonly running_runs: number;
  readonly paused_runs: number;
}

/** A scrape stays cheap when a million wait: by then it does not matter how many. */
export const MOST_COUNTED = 100_000;

const ageOf = (time: string) =>
  `case when ${time} is not null then greatest(0, extract(epoch from now() - ${time}))::float8 end`;
const lagOf = (table: string) => `(
  select ${ageOf('wake_at')} from ${table}
   where wake_at is not null and status in ('PENDING', 'RUNNING') and wake_at <= now() order by wake_at limit 1)`;

/** The first row of an index each. */
export function readBacklog(database: Statements): Promise<Backlog> {
  return database.one<Backlog>(
    `select tick.ticked_at as last_tick_at, ${ageOf('tick.ticked_at')} as last_tick_age_seconds,
            (select ${ageOf('created_at')} from outbox order by id limit 1) as oldest_outbox_row_age_seconds,
            ${lagOf('workflow_runs')} as run_due_lag_seconds,
            ${lagOf('step_executions')} as step_due_lag_seconds,
            (select ${ageOf('created_at')} from workflow_runs
              where status = 'PENDING' and paused_at is null and created_at is not null
              order by created_at limit 1) as oldest_pending_run_age_seconds
       from timekeeper_tick tick where tick.only_row`,
  );
}

export function readBacklogSizes(database: Statements): Promise<BacklogSizes> {
  return database.one<BacklogSizes>(
    `select (select count(*) from (select from outbox order by id limit $1) o)::int as outbox_rows, open.*
       from (select count(*) filter (where execution_status = 'PENDING')::int as pending_runs,
                    count(*) filter (where execution_status = 'RUNNING')::int as running_runs,
                    count(*) filter (where execution_status = 'PAUSED')::int as paused_runs
               from (select execution_status from workflow_runs where status in ('PENDING', 'RUNNING')
                      order by created_at desc, id desc limit $1) r) open`,
    [MOST_COUNTED],
  );
}
