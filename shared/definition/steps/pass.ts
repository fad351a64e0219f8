import * as z from 'zod';
import type { PassStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { heading, json, nextStep, results } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** Reshapes data, and calls nobody. */
export const passSchema = z.strictObject({
  ...heading(z.literal('pass')),
  result: json
    .optional()
    .describe(
      "The step's output: JSON in which a string that starts `$.` or `$[` is a JSONPath; default: null.",
    ),
  catch: catchField,
  ...results,
  next_step: nextStep,
});

export type PassDefinition = z.infer<typeof passSchema>;

export const passExpressions = expressionsIn('result');

export function compilePass({ result }: PassDefinition, entering: ExpressionCompiler): OwnPart<PassStep> {
  return { type: 'pass', result: entering.mapping(result ?? null) };
}
