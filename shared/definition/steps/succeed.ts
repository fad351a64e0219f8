import * as z from 'zod';
import type { SucceedStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { heading, json } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** The end, and a good one. */
export const succeedSchema = z.strictObject({
  ...heading(z.literal('succeed')),
  result: json
    .optional()
    .describe('The output: JSON in which a string that starts `$.` or `$[` is a JSONPath; default: null.'),
  catch: catchField,
});

export type SucceedDefinition = z.infer<typeof succeedSchema>;

export const succeedExpressions = expressionsIn('result');

export function compileSucceed(
  { result }: SucceedDefinition,
  entering: ExpressionCompiler,
): OwnPart<SucceedStep> {
  return { type: 'succeed', result: entering.mapping(result ?? null) };
}
