import type { Viewer } from '../application/permissions.ts';
import type { Statements } from './database.ts';
import type { ExecutionStatus } from './run-filter.ts';
import { type ChangeableRun, RUN_SUMMARY, type RunDetails, type RunSummary } from './run-queries.ts';
import { databaseOf, mentions } from './searched-text.ts';
import { isNamedOtherwise, MAX_STORED_BYTES, Parameters, storedBytes } from './sql.ts';
import { canViewRun, ownsRun } from './visibility.ts';

export interface ExecutionSummary extends RunSummary {
  /** When it started, or was created where it has not; null only where another producer says neither. */
  readonly begun_at: Date | null;
}

export interface ExecutionDetails extends ExecutionSummary, Omit<RunDetails, keyof RunSummary> {
  readonly workflow_version_id: string | null;
}

export interface ListedExecution extends ExecutionSummary {
  readonly nodes_executed: number;
}

/** What a caller may see, or what is the caller's own (design §5: the plain face). */
export type Reach = 'visible' | 'own';

export interface ExecutionFilter {
  readonly statuses?: readonly ExecutionStatus[] | undefined;
  /** ISO 8601; from this moment on. */
  readonly startedAfter?: string | undefined;
  /** ISO 8601; up to, and without, this moment. */
  readonly startedBefore?: string | undefined;
  /** Words of one error, or of one attempt's log lines. */
  readonly mentions?: string | undefined;
}

export const sortKeys = ['start_time', 'status', 'execution_time'] as const;

export interface NumberedPage {
  /** From 1. */
  readonly page: number;
  readonly perPage: number;
  readonly sortBy: (typeof sortKeys)[number];
  readonly sortOrder: 'asc' | 'desc';
}

/** As many of the rows from `offset` on as memory should hold at once, one at least. */
export interface OffsetPiece<Row> {
  readonly rows: readonly Row[];
  readonly hasMore: boolean;
}

export interface ExecutionQueries {
  maybeFindExecution(viewer: Viewer, executionId: string, reach: Reach): Promise<ExecutionDetails | null>;
  maybeFindExecutionRun(viewer: Viewer, executionId: string, reach: Reach): Promise<ChangeableRun | null>;
  /** A workflow's in one community, with how many there are of them. */
  listExecutions(
    viewer: Viewer,
    of: { readonly workflowId: string; readonly communityId: number },
    filter: ExecutionFilter,
    page: NumberedPage,
  ): Promise<{ readonly total: number; readonly items: readonly ListedExecution[] }>;
  /** The viewer's own with their data, the latest start first. */
  listOwnExecutions(
    viewer: Viewer,
    filter: ExecutionFilter & { readonly workflowId?: string | undefined },
    page: { readonly limit: number; readonly offset: number },
  ): Promise<OffsetPiece<ExecutionDetails>>;
}

const EXECUTION = `${RUN_SUMMARY}, r.begun_at`;
const DATA = 'r.input_data, r.output_data, r.variables, r.metadata, r.workflow_version_id';

/** An open run has no execution time; as the largest of all it stands at the long end. */
const orderings = {
  start_time: ['begun_at', 'id'],
  status: ['execution_status', 'begun_at', 'id'],
  execution_time: ['execution_time', 'id'],
} as const;

/** @param searches where lists are searched for words (`databaseOf`) */
export function createExecutionQueries(database: Statements, searches = database): ExecutionQueries {
  return {
    maybeFindExecution(viewer, executionId, reach) {
      const parameters = new Parameters();
      return database.maybeOne<ExecutionDetails>(
        `select ${EXECUTION}, ${DATA} from workflow_runs r
         where ${isExecution(executionId, parameters)} and ${isWithin(reach, viewer, parameters)}`,
        parameters.values,
      );
    },
    async maybeFindExecutionRun(viewer, executionId, reach) {
      const parameters = new Parameters();
      const row = await database.maybeOne<{ run_id: string; community_id: number | null }>(
        `select r.run_id, r.community_id from workflow_runs r
         where ${isExecution(executionId, parameters)} and ${isWithin(reach, viewer, parameters)}`,
        parameters.values,
      );
      return row && { runId: row.run_id, communityId: row.community_id };
    },
    async listExecutions(viewer, { workflowId, communityId }, filter, page) {
      const parameters = new Parameters();
      // There are counts by status, and by nothing else.
      const { startedAfter, startedBefore, mentions: words } = filter;
      const isCounted = [startedAfter, startedBefore, words].every((value) => value === undefined);
      const where = [
        `r.workflow_definition_id = ${parameters.add(workflowId)}`,
        `r.community_id = ${parameters.add(communityId)}`,
        // The counts have the columns that this speaks of.
        canViewRun(viewer, parameters),
        ...conditionsOf(filter, parameters),
      ].join(' and ');
      const order = (alias: string) =>
        orderings[page.sortBy].map((column) => `${alias}.${column} ${page.sortOrder}`).join(', ');
      // One statement, so one snapshot: the total is that of the pages.
      const rows = await databaseOf(filter, database, searches).many<
        ListedExecution & { total: number; id: string | null }
      >(
        `select t.total, p.*,
                (select count(distinct (s.scope, s.step_id, s.visit))::int from step_executions s
                  where s.run_id = p.run_id and s.started_at is not null) as nodes_executed
         from (select coalesce(${isCounted ? 'sum(r.runs)' : 'count(*)'}, 0)::bigint as total
                 from ${isCounted ? 'run_counts' : 'workflow_runs'} r where ${where}) t
         left join lateral (
           select ${EXECUTION}, r.execution_time from workflow_runs r
            where ${where}
            order by ${order('r')}
            limit ${parameters.add(page.perPage)} offset ${parameters.add((page.page - 1) * page.perPage)}
         ) p on true
         order by ${order('p')}`,
        parameters.values,
      );
      return { total: rows[0]?.total ?? 0, items: rows.filter(({ id }) => id !== null) };
    },
    async listOwnExecutions(viewer, { workflowId, ...filter }, { limit, offset }) {
      const parameters = new Parameters();
      const where = [ownsRun(viewer, parameters), ...conditionsOf(filter, parameters)];
      if (workflowId !== undefined) where.push(`r.workflow_definition_id = ${parameters.add(workflowId)}`);
      const rows = await databaseOf(filter, database, searches).many<
        ExecutionDetails & { candidates: number }
      >(
        `select * from (
           select r.*, count(*) over () as candidates, row_number() over latest_first as place,
                  sum(${storedBytes('r.input_data', 'r.output_data', 'r.variables')}) over latest_first as stored_bytes
           from (
             select ${EXECUTION}, ${DATA} from workflow_runs r
             where ${where.join(' and ')}
             order by r.begun_at desc, r.id desc
             limit ${parameters.add(limit + 1)} offset ${parameters.add(offset)}
           ) r
           window latest_first as (order by r.begun_at desc, r.id desc)
         ) r
         where r.place <= ${parameters.add(limit)} and (r.stored_bytes <= ${MAX_STORED_BYTES} or r.place = 1)
         order by r.place`,
        parameters.values,
      );
      return { rows, hasMore: (rows[0]?.candidates ?? 0) > rows.length };
    },
  };
}

const OUR_RUN_ID = '^run-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

/**
 * `run-<uuid>` is the run of execution `<uuid>`. A run that another producer gave another name is known by its row's id, which
 * then counts only where no run has the name.
 */
function isExecution(executionId: string, parameters: Parameters): string {
  const id = parameters.add(executionId.toLowerCase());
  const name = parameters.add(`run-${executionId.toLowerCase()}`);
  return `r.run_id = coalesce(
    (select named.run_id from workflow_runs named where named.run_id = ${name}),
    (select other.run_id from workflow_runs other
      where other.id = ${id} and ${isNamedOtherwise('other')} and other.run_id !~ '${OUR_RUN_ID}' order by other.run_id limit 1))`;
}

function isWithin(reach: Reach, viewer: Viewer, parameters: Parameters): string {
  return reach === 'own' ? ownsRun(viewer, parameters) : canViewRun(viewer, parameters);
}

function conditionsOf(filter: ExecutionFilter, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const { statuses, startedAfter, startedBefore, mentions: words } = filter;
  // A single status by `=`: the index by status then has the rows in the order of their start.
  if (statuses?.length === 1) conditions.push(`r.execution_status = ${parameters.add(statuses[0])}`);
  else if (statuses !== undefined)
    conditions.push(`r.execution_status = any(${parameters.add(statuses)}::text[])`);
  if (startedAfter !== undefined)
    conditions.push(`r.begun_at >= ${parameters.add(startedAfter)}::timestamptz`);
  if (startedBefore !== undefined)
    conditions.push(`r.begun_at < ${parameters.add(startedBefore)}::timestamptz`);
  if (words !== undefined) conditions.push(mentions(words, parameters));
  return conditions;
}
