import type { Json } from '../engine/json.ts';
import type { AttemptStatus } from '../engine/state.ts';
import type { Statements } from './database.ts';
import type { OffsetPiece } from './execution-queries.ts';
import { MAX_STORED_BYTES, Parameters, storedBytes } from './sql.ts';

/** One visit of one step, with all its attempts; what it came to is its last attempt's. */
export interface Node {
  readonly scope: string;
  readonly step_id: string;
  readonly visit: number;
  readonly attempts: number;
  /** Of the first attempt. */
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly status: AttemptStatus;
  /** A PENDING attempt whose time has not come. */
  readonly is_waiting: boolean;
  readonly step_name: string;
  readonly step_type: string;
  readonly agent_name: string;
  /** Null, as `logs` is, where `is_data_omitted`. */
  readonly input_data: Json;
  readonly output_data: Json;
  readonly error_message: string | null;
  readonly error_code: string | null;
  readonly logs: readonly string[] | null;
  /** The data of all nodes would be more than memory should hold. */
  readonly is_data_omitted: boolean;
}

export interface Nodes {
  /** In the order in which they were entered. */
  readonly nodes: readonly Node[];
  /** How many there are, beyond the limit too. */
  readonly total: number;
}

export interface NodeMetrics {
  readonly nodes_executed: number;
  readonly nodes_failed: number;
  /** Steps of the definition that were entered. */
  readonly steps_entered: number;
  readonly average_node_time_seconds: number | null;
  readonly slowest_node_id: string | null;
  readonly slowest_node_time_seconds: number | null;
}

export interface LogEntry {
  readonly id: string;
  readonly scope: string;
  readonly step_id: string;
  readonly step_name: string;
  readonly step_type: string;
  readonly status: AttemptStatus;
  readonly attempt: number;
  readonly input_data: Json;
  readonly output_data: Json;
  readonly error_message: string | null;
  readonly error_code: string | null;
  readonly logs: readonly string[] | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
}

export interface LogFilter {
  readonly stepType?: string | undefined;
  readonly stepName?: string | undefined;
  readonly hasError?: boolean | undefined;
  /** Text in an agent's log lines or in the error, in whatever case. */
  readonly text?: string | undefined;
}

export interface NodeQueries {
  readNodes(runId: string, limit: number): Promise<Nodes>;
  readNodeMetrics(runId: string): Promise<NodeMetrics>;
  /** Attempts, oldest first. */
  readLogs(
    runId: string,
    filter: LogFilter,
    page: { readonly limit: number; readonly offset: number },
  ): Promise<OffsetPiece<LogEntry>>;
}

const STORED_BYTES = storedBytes('s.input_data', 's.output_data', 's.logs');
const NODE = 's.scope, s.step_id, s.visit';

export function createNodeQueries(database: Statements): NodeQueries {
  return {
    async readNodes(runId, limit) {
      const rows = await database.many<Node & { total: number }>(
        `with node as (
           select ${NODE}, count(*)::int as attempts, min(s.started_at) as started_at,
                  min(s.created_at) as entered_at, max(s.attempt) as last_attempt, count(*) over ()::int as total
             from step_executions s where s.run_id = $1
            group by ${NODE} order by min(s.created_at), ${NODE} limit $2
         ), sized as (
           select n.*, s.step_execution_id, sum(${STORED_BYTES}) over (order by n.entered_at, ${NODE}) > ${MAX_STORED_BYTES} as is_data_omitted
             from node n
             join step_executions s on s.run_id = $1 and s.scope = n.scope and s.step_id = n.step_id and s.visit = n.visit
                  and s.attempt = n.last_attempt
         )
         select n.scope, n.step_id, n.visit, n.attempts, n.started_at, n.total, n.is_data_omitted, s.completed_at, s.status,
                coalesce(s.due_at > now(), false) as is_waiting, s.step_name, s.step_type, s.agent_name,
                s.error_message, s.error_code, case when not n.is_data_omitted then s.input_data end as input_data,
                case when not n.is_data_omitted then s.output_data end as output_data,
                case when not n.is_data_omitted then s.logs end as logs
           from sized n join step_executions s on s.run_id = $1 and s.step_execution_id = n.step_execution_id
          order by n.entered_at, n.scope, n.step_id, n.visit`,
        [runId, limit],
      );
      return { nodes: rows, total: rows[0]?.total ?? 0 };
    },
    readNodeMetrics(runId) {
      return database.one<NodeMetrics>(
        `with node as (
           select ${NODE}, min(s.started_at) as started_at,
                  (array_agg(s.status order by s.attempt desc))[1] as status,
                  extract(epoch from (array_agg(s.completed_at order by s.attempt desc))[1] - min(s.started_at))::float8 as seconds
             from step_executions s where s.run_id = $1 group by ${NODE}
         ), slowest as (
           select step_id, seconds from node where seconds is not null order by seconds desc, step_id, scope, visit limit 1
         )
         select count(*) filter (where started_at is not null)::int as nodes_executed,
                count(*) filter (where status = 'FAILED')::int as nodes_failed,
                count(distinct step_id)::int as steps_entered,
                avg(seconds) as average_node_time_seconds,
                (select step_id from slowest) as slowest_node_id,
                (select seconds from slowest) as slowest_node_time_seconds
           from node`,
        [runId],
      );
    },
    async readLogs(runId, filter, { limit, offset }) {
      const parameters = new Parameters();
      const conditions = [`s.run_id = ${parameters.add(runId)}`, ...conditionsOf(filter, parameters)];
      const rows = await database.many<LogEntry & { candidates: number }>(
        `select * from (
           select s.*, count(*) over () as candidates, row_number() over oldest_first as place,
                  sum(${STORED_BYTES}) over oldest_first as stored_bytes
           from (
             select s.id, s.scope, s.step_id, s.step_name, s.step_type, s.status, s.attempt, s.input_data, s.output_data,
                    s.error_message, s.error_code, s.logs, s.created_at, s.started_at, s.completed_at
             from step_executions s
             where ${conditions.join(' and ')}
             order by s.created_at, s.id
             limit ${parameters.add(limit + 1)} offset ${parameters.add(offset)}
           ) s
           window oldest_first as (order by s.created_at, s.id)
         ) s
         where s.place <= ${parameters.add(limit)} and (s.stored_bytes <= ${MAX_STORED_BYTES} or s.place = 1)
         order by s.place`,
        parameters.values,
      );
      return { rows, hasMore: (rows[0]?.candidates ?? 0) > rows.length };
    },
  };
}

function conditionsOf({ stepType, stepName, hasError, text }: LogFilter, parameters: Parameters): string[] {
  const conditions: string[] = [];
  if (stepType !== undefined) conditions.push(`s.step_type = ${parameters.add(stepType)}`);
  if (stepName !== undefined) conditions.push(`s.step_name = ${parameters.add(stepName)}`);
  if (hasError !== undefined) conditions.push(`(s.status = 'FAILED') = ${parameters.add(hasError)}`);
  if (text !== undefined) {
    const pattern = parameters.add(`%${text.replace(/[\\%_]/g, '\\$&')}%`);
    conditions.push(
      `(s.error_message ilike ${pattern} or s.error_code ilike ${pattern}
        or exists (select from jsonb_array_elements_text(s.logs) line where line ilike ${pattern}))`,
    );
  }
  return conditions;
}
