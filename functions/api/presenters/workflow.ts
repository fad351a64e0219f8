import type { Workflow } from '../../../shared/application/register-workflow.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';

export function presentWorkflowSummary(workflow: Workflow) {
  const { id, name, description, version, owner, createdAt, updatedAt } = workflow;
  return {
    id,
    name,
    description,
    version,
    owner,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}

/** With the definition's own fields, in the form in which it was registered. */
export function presentWorkflow(workflow: Workflow, definition: WorkflowDefinition) {
  const { start_step, steps, retry, timeout_seconds } = definition;
  return {
    ...presentWorkflowSummary(workflow),
    start_step,
    steps,
    ...(retry && { retry }),
    ...(timeout_seconds !== undefined && { timeout_seconds }),
  };
}
