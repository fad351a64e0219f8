import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import {
  type WorkflowDefinition,
  workflowDefinition,
} from '../../../shared/definition/workflow-definition.ts';
import type { BodySpec } from '../http/route.ts';

/** The definition's own reader finds what is wrong with it, and where. */
export const definitionBody: BodySpec<WorkflowDefinition> = {
  schema: z.unknown().transform((input, context): WorkflowDefinition => {
    const parsed = parseDefinition(input);
    if (parsed.ok) return parsed.definition;
    for (const { path, message } of parsed.problems) {
      context.issues.push({ code: 'custom', input, path: path === '' ? [] : path.split('.'), message });
    }
    return z.NEVER;
  }),
  documentedBy: workflowDefinition,
  maxBytes: limits.maxDefinitionBytes,
};
