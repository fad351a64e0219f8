import type {
  ExecutionDetails,
  ExecutionSummary,
  ListedExecution,
} from '../../../shared/persistence/execution-queries.ts';
import type { NodeMetrics } from '../../../shared/persistence/node-queries.ts';
import { executionIdOf, isoOf } from './run.ts';

/** Closed runs change no more, unless they are retried. */
export function isClosed({ status }: Pick<ExecutionSummary, 'status'>): boolean {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';
}

/** What the executions face and the plain face call a run and its workflow. Statuses are lowercase here. */
export function identityOf(run: ExecutionSummary) {
  return {
    execution_id: executionIdOf(run),
    // Another producer's run may be of no registered workflow.
    workflow_id: run.workflow_definition_id ?? run.workflow_id,
    status: run.execution_status.toLowerCase(),
  };
}

export function timesOf(run: ExecutionSummary) {
  const { begun_at } = run;
  const endedAt = endOf(run);
  return {
    start_time: isoOf(begun_at),
    end_time: isoOf(endedAt),
    execution_time_seconds: begun_at && endedAt && (endedAt.getTime() - begun_at.getTime()) / 1_000,
  };
}

export function endOf({ completed_at, cancelled_at }: ExecutionSummary): Date | null {
  return completed_at ?? cancelled_at;
}

export function presentListedExecution(run: ListedExecution) {
  return {
    ...identityOf(run),
    ...timesOf(run),
    nodes_executed: run.nodes_executed,
    error: run.error_message,
    success: run.status === 'COMPLETED',
  };
}

export function presentExecution(run: ExecutionDetails) {
  return {
    ...identityOf(run),
    ...timesOf(run),
    // Either stands for the other (design §5).
    final_variables: run.variables ?? run.input_data ?? {},
    final_output: run.output_data,
    error_message: run.error_message,
    error_node_id: run.error_step_id,
  };
}

/** @param now for a run that has not ended: its metrics are of this moment. */
export function presentMetrics(
  run: ExecutionDetails,
  metrics: NodeMetrics,
  stepIds: readonly string[],
  now: Date,
) {
  const { execution_id, workflow_id } = identityOf(run);
  const variables = run.variables ?? run.input_data ?? {};
  return {
    execution_id,
    workflow_id,
    total_duration_seconds: timesOf(run).execution_time_seconds,
    // Another producer's run may have steps and no definition.
    node_count: Math.max(stepIds.length, metrics.steps_entered),
    nodes_executed: metrics.nodes_executed,
    nodes_skipped: isClosed(run) ? Math.max(stepIds.length - metrics.steps_entered, 0) : 0,
    nodes_failed: metrics.nodes_failed,
    average_node_time_seconds: rounded(metrics.average_node_time_seconds),
    slowest_node_id: metrics.slowest_node_id,
    slowest_node_time_seconds: rounded(metrics.slowest_node_time_seconds),
    variable_count:
      typeof variables === 'object' && !Array.isArray(variables) ? Object.keys(variables).length : 0,
    // Nothing here holds a run in memory.
    memory_used_mb: null,
    timestamp: (endOf(run) ?? now).toISOString(),
  };
}

/** To the millisecond, as the times are. */
function rounded(seconds: number | null): number | null {
  return seconds === null ? null : Math.round(seconds * 1_000) / 1_000;
}
