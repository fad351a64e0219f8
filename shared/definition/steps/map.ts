import * as z from 'zod';
import type { MapStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { retryField } from '../retry-policy.ts';
import { heading, name, nextStep, path, results, timeoutSeconds } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** The same steps for each item of a list, each on its own copy of the variables. */
export function mapSchema<Steps extends z.ZodType>(steps: Steps) {
  return z.strictObject({
    ...heading(z.literal('map')),
    items: path.describe(
      "A path to a list. Steps see each item as `$.item` and its place as `$.index`; the step's output is the list of their outputs, in the items' order.",
    ),
    start_step: name.describe('The id of the first step for each item.'),
    steps,
    max_concurrency: z.int().min(1).optional().describe('How many items at once; default: 40.'),
    tolerated_failures: z.int().min(0).optional().describe('How many items may fail; default: 0.'),
    tolerated_failure_percentage: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe('Of the items, how many may fail; of the two numbers the larger counts.'),
    timeout_seconds: timeoutSeconds,
    catch: catchField,
    ...results,
    next_step: nextStep,
    retry: retryField,
  });
}

export type MapDefinition<Steps> = z.infer<ReturnType<typeof mapSchema<z.ZodType<Steps>>>>;

export const mapExpressions = expressionsIn('items');

export function compileMap(step: MapDefinition<unknown>, entering: ExpressionCompiler): OwnPart<MapStep> {
  return {
    type: 'map',
    items: entering.mapping(step.items),
    startStep: step.start_step,
    maxConcurrency: step.max_concurrency ?? null,
    toleratedFailures: step.tolerated_failures ?? 0,
    toleratedFailurePercentage: step.tolerated_failure_percentage ?? 0,
  };
}
