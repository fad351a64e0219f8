import type { Plan, PlanSettings, PlanStep, RetryPolicy } from '../engine/plan.ts';
import { compileMapping } from './expression.ts';
import type { RetryDefinition, WorkflowDefinition } from './workflow-definition.ts';

/** What a deployment sets for workflows that say nothing. */
export interface PlanDefaults extends PlanSettings {
  readonly retry: readonly RetryPolicy[];
}

/** Compiles a definition that was validated when it was stored. */
export function compilePlan(definition: WorkflowDefinition, defaults: PlanDefaults): Plan {
  const { retry: defaultRetry, ...settings } = defaults;
  const workflowRetry = definition.retry === undefined ? defaultRetry : policiesOf(definition.retry);
  const steps = Object.values(definition.steps).map(
    (step): PlanStep => ({
      id: step.id,
      name: step.name ?? step.id,
      label: step.step_type ?? step.type ?? 'agent',
      agentName: step.agent_name,
      next: step.next_step,
      input: compileMapping(step.input_mapping),
      retry: step.retry === undefined ? workflowRetry : policiesOf(step.retry),
      timeoutMs: step.timeout_seconds === undefined ? null : Math.ceil(step.timeout_seconds * 1_000),
    }),
  );
  return { startStep: definition.start_step, steps: new Map(steps.map((step) => [step.id, step])), settings };
}

function policiesOf(retry: RetryDefinition): RetryPolicy[] {
  return (Array.isArray(retry) ? retry : [retry]).map((policy) => ({
    maxAttempts: policy.max_attempts,
    initialIntervalMs: policy.initial_interval_ms,
    backoffRate: policy.backoff_rate,
    maxIntervalMs: policy.max_interval_ms,
    jitter: policy.jitter,
    codes: policy.codes ?? null,
  }));
}
