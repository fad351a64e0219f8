import * as z from 'zod';
import type {
  ExecutionDetails,
  ExecutionSummary,
  ListedExecution,
} from '../../../shared/persistence/execution-queries.ts';
import type { NodeMetrics } from '../../../shared/persistence/node-queries.ts';
import type { ExecutionStatus } from '../../../shared/persistence/run-filter.ts';
import {
  count,
  executionStatus,
  json,
  seconds,
  textOrNull,
  timestamp,
  uuid,
} from '../fields/response-fields.ts';
import { nodeFields } from './node.ts';
import { executionIdOf } from './run.ts';
import { isoOf, roundedSeconds, secondsBetween } from './times.ts';

export const identityFields = {
  execution_id: uuid,
  workflow_id: z
    .string()
    .describe("The workflow's `id`.")
    .meta({ examples: ['550e8400-e29b-41d4-a716-446655440001'] }),
  status: executionStatus,
};

export const timeFields = {
  start_time: timestamp.nullable(),
  end_time: timestamp.nullable(),
  execution_time_seconds: seconds.nullable(),
};

export const listedExecution = z
  .strictObject({
    ...identityFields,
    ...timeFields,
    nodes_executed: count,
    error: textOrNull,
    success: z.boolean(),
  })
  .meta({ id: 'ListedExecution' });

const executionFields = {
  ...identityFields,
  ...timeFields,
  final_variables: json.describe("The run's `variables`, else its `input_data`."),
  final_output: json.describe('Of its last step.'),
  error_message: textOrNull,
  error_node_id: textOrNull,
};

const executionMetrics = z
  .strictObject({
    execution_id: uuid,
    workflow_id: z.string(),
    total_duration_seconds: seconds.nullable(),
    node_count: count,
    nodes_executed: count,
    nodes_skipped: count,
    nodes_failed: count,
    average_node_time_seconds: seconds.nullable(),
    slowest_node_id: textOrNull,
    slowest_node_time_seconds: seconds.nullable(),
    variable_count: count,
    memory_used_mb: z.null().describe('Nothing here holds a run in memory.'),
    timestamp,
  })
  .meta({ id: 'ExecutionMetrics' });

export const execution = z
  .strictObject({
    ...executionFields,
    ...nodeFields,
    metrics: executionMetrics.optional().describe('With `include_metrics=true`.'),
  })
  .meta({ id: 'Execution' });

export const startedExecution = z
  .strictObject({
    execution_id: uuid,
    workflow_id: uuid,
    status: z.literal('running').describe('As promised, though it is still to be picked up.'),
    start_time: timestamp,
    execution_path: z.array(z.string()),
  })
  .meta({ id: 'StartedExecution' });

export const cancelledExecution = z
  .strictObject({ execution_id: uuid, status: executionStatus, cancelled_at: timestamp.nullable() })
  .meta({ id: 'CancelledExecution' });

/** Closed runs change no more, unless they are retried. */
export function isClosed({ status }: Pick<ExecutionSummary, 'status'>): boolean {
  return status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';
}

/** What the executions face and the plain face call a run and its workflow. Statuses are lowercase here. */
export function identityOf(run: ExecutionSummary): z.infer<z.ZodObject<typeof identityFields>> {
  return {
    execution_id: executionIdOf(run),
    // Another producer's run may be of no registered workflow.
    workflow_id: run.workflow_definition_id ?? run.workflow_id,
    status: run.execution_status.toLowerCase() as Lowercase<ExecutionStatus>,
  };
}

export function timesOf(run: ExecutionSummary) {
  const { begun_at } = run;
  const endedAt = endOf(run);
  return {
    start_time: isoOf(begun_at),
    end_time: isoOf(endedAt),
    execution_time_seconds: secondsBetween(begun_at, endedAt),
  };
}

export function endOf({ completed_at, cancelled_at }: ExecutionSummary): Date | null {
  return completed_at ?? cancelled_at;
}

export function presentListedExecution(run: ListedExecution): z.infer<typeof listedExecution> {
  return {
    ...identityOf(run),
    ...timesOf(run),
    nodes_executed: run.nodes_executed,
    error: run.error_message,
    success: run.status === 'COMPLETED',
  };
}

export function presentExecution(run: ExecutionDetails): z.infer<z.ZodObject<typeof executionFields>> {
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

/**
 * @param steps of the definition, those of all branches and items
 * @param now for a run that has not ended: its metrics are of this moment.
 */
export function presentMetrics(
  run: ExecutionDetails,
  metrics: NodeMetrics,
  steps: number,
  now: Date,
): z.infer<typeof executionMetrics> {
  const { execution_id, workflow_id } = identityOf(run);
  const variables = run.variables ?? run.input_data ?? {};
  return {
    execution_id,
    workflow_id,
    total_duration_seconds: timesOf(run).execution_time_seconds,
    // Another producer's run may have steps and no definition.
    node_count: Math.max(steps, metrics.steps_entered),
    nodes_executed: metrics.nodes_executed,
    nodes_skipped: isClosed(run) ? Math.max(steps - metrics.steps_entered, 0) : 0,
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

function rounded(seconds: number | null): number | null {
  return seconds === null ? null : roundedSeconds(seconds);
}
