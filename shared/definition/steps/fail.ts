import * as z from 'zod';
import { limits } from '../../config/limits.ts';
import type { FailStep } from '../../engine/plan.ts';
import { atMostCharacters } from '../../validation/characters.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { errorCode, heading } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** The end, with an error. */
export const failSchema = z.strictObject({
  ...heading(z.literal('fail')),
  error_code: errorCode.describe('Text, or a path to it.'),
  error_message: z
    .string({ error: 'expected text' })
    .check(atMostCharacters(limits.maxErrorMessageLength))
    .optional()
    .describe('Text, or a path to it; default: at which step the workflow failed.'),
});

export type FailDefinition = z.infer<typeof failSchema>;

export const failExpressions = expressionsIn('error_code', 'error_message');

export function compileFail(
  id: string,
  { name, error_code, error_message }: FailDefinition,
  entering: ExpressionCompiler,
): OwnPart<FailStep> {
  const message = error_message ?? `the workflow failed at step "${name ?? id}"`;
  return { type: 'fail', failure: entering.mapping({ code: error_code, message }) };
}
