import * as z from 'zod';
import type { Workflow } from '../../../shared/application/register-workflow.ts';
import { retry } from '../../../shared/definition/retry-policy.ts';
import { storedStep, type WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import { definitionExamples } from '../documents/examples.ts';
import { count, textOrNull, timestamp, uuid } from '../fields/response-fields.ts';
import { isoOf } from './times.ts';

const fields = {
  id: uuid.meta({ examples: ['550e8400-e29b-41d4-a716-446655440001'] }),
  name: z.string().meta({ examples: ['data-pipeline'] }),
  description: textOrNull,
  version: count.describe("The newest one's number.").meta({ examples: [1] }),
  owner: z.string().meta({ examples: ['user@example.com'] }),
  created_at: timestamp,
  updated_at: timestamp,
  paused_at: timestamp
    .nullable()
    .describe('Its runs begin paused since then.')
    .meta({ examples: [null] }),
};

export const workflowSummary = z.strictObject(fields).meta({ id: 'WorkflowSummary' });

export const workflow = z
  .strictObject({
    ...fields,
    start_step: z.string().meta({ examples: ['extract'] }),
    steps: z.record(z.string(), storedStep).meta({ examples: [definitionExamples.pipeline.steps] }),
    retry: retry.optional(),
    timeout_seconds: z.number().optional().describe('How long a run may take.'),
    steps_per_invocation: z.number().optional().describe('How many steps one invocation may carry out.'),
  })
  .meta({ id: 'Workflow' });

export function presentWorkflowSummary(registered: Workflow): z.infer<typeof workflowSummary> {
  const { id, name, description, version, owner, createdAt, updatedAt, pausedAt } = registered;
  return {
    id,
    name,
    description,
    version,
    owner,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
    paused_at: isoOf(pausedAt),
  };
}

export const archivedWorkflow = z.strictObject({ id: uuid, archived_at: timestamp });

/** With the definition's own fields, in the form in which it was registered. */
export function presentWorkflow(
  registered: Workflow,
  definition: WorkflowDefinition,
): z.infer<typeof workflow> {
  const { start_step, steps, retry, timeout_seconds, steps_per_invocation } = definition;
  return {
    ...presentWorkflowSummary(registered),
    start_step,
    steps,
    ...(retry && { retry }),
    ...(timeout_seconds !== undefined && { timeout_seconds }),
    ...(steps_per_invocation !== undefined && { steps_per_invocation }),
  };
}
