import * as z from 'zod';
import type { CatchClause } from '../engine/plan.ts';
import { errorCode, name } from './step-fields.ts';

const catchClause = z.strictObject({
  codes: z
    .array(errorCode)
    .min(1)
    .optional()
    .describe('The error codes it is for; absent, or with `ALL`: every one.'),
  next_step: name.describe('The step that deals with it; it finds the error in `$.error`.'),
});

/** `catch` of a step. */
export const catchField = z
  .array(catchClause, { error: 'expected a list of {codes, next_step}' })
  .optional()
  .describe('What follows an error that no retry is left for; the first clause that is for it counts.');

export type CatchDefinition = z.infer<typeof catchField>;

export function compileCatch(definition: CatchDefinition): CatchClause[] {
  return (definition ?? []).map(({ codes, next_step }) => ({ codes: compileCodes(codes), next: next_step }));
}

/** Null means every code. */
export function compileCodes(codes: readonly string[] | undefined): readonly string[] | null {
  return codes === undefined || codes.includes('ALL') ? null : codes;
}
