import * as z from 'zod';
import type { ChildWorkflowStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { retryField } from '../retry-policy.ts';
import { heading, inputMapping, name, nextStep, results, timeoutSeconds } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** Another workflow runs as a child of this run. */
export const workflowSchema = z.strictObject({
  ...heading(z.literal('workflow')),
  workflow_name: name.describe("The other workflow's name."),
  version: z.int().min(1).optional().describe('Of it; default: the latest when the step starts.'),
  wait_for_completion: z
    .boolean()
    .optional()
    .describe(
      "True (default): the child's output is the step's, its failure too, and it is cancelled with this run. False: it is started and left alone.",
    ),
  timeout_seconds: timeoutSeconds,
  catch: catchField,
  ...results,
  next_step: nextStep,
  input_mapping: inputMapping.describe(
    "The child's `input_data`; a string that starts `$.` or `$[` is a JSONPath over the run's data.",
  ),
  retry: retryField,
});

export type WorkflowStepDefinition = z.infer<typeof workflowSchema>;

export const workflowExpressions = expressionsIn('input_mapping');

export function compileWorkflow(
  step: WorkflowStepDefinition,
  entering: ExpressionCompiler,
): OwnPart<ChildWorkflowStep> {
  return {
    type: 'workflow',
    workflow: { name: step.workflow_name, version: step.version ?? null },
    input: entering.mapping(step.input_mapping),
    waits: step.wait_for_completion ?? true,
  };
}
