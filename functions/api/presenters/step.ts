import type { StepDetails } from '../../../shared/persistence/run-queries.ts';
import { isoOf } from './run.ts';

/** One attempt of a step, as a row of `…/steps`. */
export function presentStep(step: StepDetails) {
  const { started_at, completed_at } = step;
  return {
    step_execution_id: step.step_execution_id,
    run_id: step.run_id,
    step_id: step.step_id,
    step_name: step.step_name,
    step_type: step.step_type,
    agent_name: step.agent_name,
    status: step.status,
    attempt: step.attempt,
    visit: step.visit,
    scope: step.scope,
    input_data: step.input_data,
    output_data: step.output_data,
    error_message: step.error_message,
    error_code: step.error_code,
    logs: step.logs ?? [],
    created_at: step.created_at.toISOString(),
    started_at: isoOf(started_at),
    completed_at: isoOf(completed_at),
    duration_ms: started_at && completed_at ? completed_at.getTime() - started_at.getTime() : null,
    due_at: isoOf(step.due_at),
    deadline_at: isoOf(step.deadline_at),
  };
}
