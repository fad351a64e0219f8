import type { RunMetrics, StepMetrics } from '../../../shared/persistence/workflow-metrics.ts';

/** Success is of the runs that completed or failed: to cancel is neither. Durations are those of completed runs. */
export function presentRunMetrics(metrics: RunMetrics) {
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

export function presentStepMetrics(step: StepMetrics) {
  const [p50, p95, p99] = step.percentiles_seconds;
  return {
    step_id: step.step_id,
    attempts: step.attempts,
    failure_rate: step.failed / step.attempts,
    duration_seconds: { average: step.average_seconds, p50, p95, p99 },
  };
}
