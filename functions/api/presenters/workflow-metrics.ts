import * as z from 'zod';
import type { RunMetrics, StepMetrics } from '../../../shared/persistence/workflow-metrics.ts';
import { count, seconds, uuid } from '../fields/response-fields.ts';

const share = z.number().min(0).max(1);

const durations = z.strictObject({
  average: seconds.nullable(),
  p50: seconds.nullable(),
  p95: seconds.nullable(),
  p99: seconds.nullable(),
});

const runFields = {
  total: count,
  by_status: z.strictObject({
    pending: count,
    running: count,
    paused: count,
    completed: count,
    failed: count,
    cancelled: count,
  }),
  success_rate: share
    .nullable()
    .describe('Of those that completed or failed; null where none did.')
    .meta({ examples: [0.75] }),
  duration_seconds: durations.describe('Of those that completed.'),
};

const stepMetrics = z.strictObject({
  step_id: z.string().meta({ examples: ['extract'] }),
  attempts: count.describe('Those that completed or failed.'),
  failure_rate: share.meta({ examples: [0.1] }),
  duration_seconds: durations,
});

const runMetrics = z.strictObject(runFields);

export const workflowMetrics = z
  .strictObject({
    workflow_id: uuid,
    version: count
      .nullable()
      .describe('Null: all versions together.')
      .meta({ examples: [null] }),
    started_after: z.string().meta({ examples: ['2025-12-08T12:00:00.000Z'] }),
    started_before: z.string().meta({ examples: ['2025-12-09T12:00:00.000Z'] }),
    ...runFields,
    slowest_steps: z.array(stepMetrics).describe('The largest 95th percentile first.'),
  })
  .meta({ id: 'WorkflowMetrics' });

export const workflowMetricsMeta = z.strictObject({
  range: z.string().meta({ examples: ['as asked for'] }),
  max_range_days: count.meta({ examples: [31] }),
  runs_limit: count
    .describe('Of more runs in the range, the newest are looked at.')
    .meta({ examples: [100_000] }),
  is_limited: z.boolean().meta({ examples: [false] }),
  steps_of_runs_limit: count
    .describe('The steps of so many of them are looked at.')
    .meta({ examples: [1_000] }),
  attempts_limit: count.meta({ examples: [50_000] }),
});

/** Success is of the runs that completed or failed: to cancel is neither. Durations are those of completed runs. */
export function presentRunMetrics(metrics: RunMetrics): z.infer<typeof runMetrics> {
  const { runs, pending, running, paused, completed, failed, cancelled } = metrics;
  const [p50, p95, p99] = metrics.percentiles_seconds ?? [null, null, null];
  const settled = completed + failed;
  return {
    total: runs,
    by_status: { pending, running, paused, completed, failed, cancelled },
    success_rate: settled === 0 ? null : completed / settled,
    duration_seconds: { average: metrics.average_seconds, p50, p95, p99 },
  };
}

export function presentStepMetrics(step: StepMetrics): z.infer<typeof stepMetrics> {
  const [p50, p95, p99] = step.percentiles_seconds;
  return {
    step_id: step.step_id,
    attempts: step.attempts,
    failure_rate: step.failed / step.attempts,
    duration_seconds: { average: step.average_seconds, p50, p95, p99 },
  };
}
