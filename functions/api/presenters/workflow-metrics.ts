import { z } from 'zod';
import type { RunMetrics, StepMetrics } from '../../../shared/persistence/workflow-metrics.ts';
import { count, seconds, timestamp, uuid } from '../response-fields.ts';

const rate = z
  .number()
  .min(0)
  .max(1)
  .meta({ examples: [0.98] });

const durations = z.strictObject({
  average: seconds.nullable(),
  p50: seconds.nullable(),
  p95: seconds.nullable(),
  p99: seconds.nullable(),
});

const runMetricsFields = {
  total: count,
  by_status: z.strictObject({
    pending: count,
    running: count,
    paused: count,
    completed: count,
    failed: count,
    cancelled: count,
  }),
  success_rate: rate.nullable().describe('Of the runs that completed or failed; null where none did.'),
  duration_seconds: durations.describe('Of the runs that completed.'),
};

const stepMetrics = z.strictObject({
  step_id: z.string().meta({ examples: ['extract'] }),
  attempts: count,
  failure_rate: rate,
  duration_seconds: durations,
});

export const workflowMetrics = z
  .strictObject({
    workflow_id: uuid,
    version: count.nullable().describe('Null: all versions together.'),
    started_after: timestamp,
    started_before: timestamp,
    ...runMetricsFields,
    slowest_steps: z.array(stepMetrics).describe('The largest 95th percentile first.'),
  })
  .meta({ id: 'WorkflowMetrics' });

export const workflowMetricsMeta = z.strictObject({
  range: z.string().meta({ examples: ['as asked for'] }),
  max_range_days: count.meta({ examples: [31] }),
  runs_limit: count,
  is_limited: z.boolean().describe('There may be more runs in the range: the newest are looked at.'),
  steps_of_runs_limit: count,
  attempts_limit: count,
});

/** Success is of the runs that completed or failed: to cancel is neither. Durations are those of completed runs. */
export function presentRunMetrics(metrics: RunMetrics): z.infer<z.ZodObject<typeof runMetricsFields>> {
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
