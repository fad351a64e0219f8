import type { Viewer } from '../application/permissions.ts';
import type { Statements } from './database.ts';
import { Parameters } from './sql.ts';
import { canViewRun } from './visibility.ts';

export interface MetricsRange {
  /** The workflow's uuid. */
  readonly workflowId: string;
  /** Undefined: all. */
  readonly version?: number | undefined;
  /** ISO 8601, of the start, or the creation where a run has not started: from this moment on. */
  readonly startedAfter: string;
  /** ISO 8601; up to, and without, this moment. */
  readonly startedBefore: string;
}

/** Of the newest `metricsLimits.runs` in the range. */
export interface RunMetrics {
  readonly runs: number;
  readonly pending: number;
  readonly running: number;
  readonly paused: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Of those that completed, as the other times are; null where none did. */
  readonly average_seconds: number | null;
  /** Of 0.5, 0.95 and 0.99. */
  readonly percentiles_seconds: readonly [number, number, number] | null;
}

/** Of one step's attempts that completed or failed. */
export interface StepMetrics {
  readonly step_id: string;
  readonly attempts: number;
  readonly failed: number;
  readonly average_seconds: number;
  readonly percentiles_seconds: readonly [number, number, number];
}

export interface WorkflowMetrics {
  readRunMetrics(viewer: Viewer, range: MetricsRange): Promise<RunMetrics>;
  /** The largest 95th percentile first. */
  readSlowestSteps(viewer: Viewer, range: MetricsRange): Promise<readonly StepMetrics[]>;
}

/** What one request reads at most; the newest runs of the range. */
export const metricsLimits = {
  runs: 100_000,
  /** Steps are looked up run by run. */
  runsWithSteps: 1_000,
  attempts: 50_000,
  steps: 20,
} as const;

const PERCENTILES = 'percentile_cont(array[0.5, 0.95, 0.99]) within group (order by seconds)';

export function createWorkflowMetrics(database: Statements): WorkflowMetrics {
  return {
    // All its columns are in one index, which is read from the range's end backwards.
    readRunMetrics(viewer, range) {
      const parameters = new Parameters();
      return database.one<RunMetrics>(
        `with run as materialized (
           select r.execution_status, extract(epoch from r.execution_time)::float8 as seconds
             from workflow_runs r where ${isInRange(viewer, range, parameters)}
            order by r.begun_at desc limit ${metricsLimits.runs}
         )
         select count(*)::int as runs, ${countsByStatus()},
                avg(seconds) filter (where execution_status = 'COMPLETED') as average_seconds,
                ${PERCENTILES} filter (where execution_status = 'COMPLETED' and seconds is not null) as percentiles_seconds
           from run`,
        parameters.values,
      );
    },
    readSlowestSteps(viewer, range) {
      const parameters = new Parameters();
      return database.many<StepMetrics>(
        `with run as materialized (
           select r.run_id from workflow_runs r where ${isInRange(viewer, range, parameters)}
            order by r.begun_at desc limit ${metricsLimits.runsWithSteps}
         ), attempt as materialized (
           select s.step_id, s.status, extract(epoch from s.completed_at - s.started_at)::float8 as seconds
             from run cross join lateral (
               select * from step_executions s where s.run_id = run.run_id limit ${metricsLimits.attempts}
             ) s
            limit ${metricsLimits.attempts}
         )
         select step_id, count(*)::int as attempts, count(*) filter (where status = 'FAILED')::int as failed,
                avg(seconds) as average_seconds, ${PERCENTILES} as percentiles_seconds
           from attempt where status in ('COMPLETED', 'FAILED') and seconds is not null
          group by step_id
          order by percentile_cont(0.95) within group (order by seconds) desc, step_id
          limit ${metricsLimits.steps}`,
        parameters.values,
      );
    },
  };
}

function isInRange(viewer: Viewer, range: MetricsRange, parameters: Parameters): string {
  const { workflowId, version, startedAfter, startedBefore } = range;
  const conditions = [
    `r.workflow_definition_id = ${parameters.add(workflowId)}`,
    `r.begun_at >= ${parameters.add(startedAfter)}::timestamptz`,
    `r.begun_at < ${parameters.add(startedBefore)}::timestamptz`,
    canViewRun(viewer, parameters),
  ];
  if (version !== undefined) conditions.push(`r.version = ${parameters.add(version)}`);
  return conditions.join(' and ');
}

function countsByStatus(): string {
  return ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled']
    .map((status) => `count(*) filter (where execution_status = '${status.toUpperCase()}')::int as ${status}`)
    .join(', ');
}
