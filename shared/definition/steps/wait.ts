import * as z from 'zod';
import type { WaitStep } from '../../engine/plan.ts';
import { parseTimestamp } from '../../engine/timestamp.ts';
import { catchField } from '../catch.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { isPath } from '../json-path.ts';
import {
  heading,
  MAX_DURATION_SECONDS,
  nextStep,
  path,
  results,
  whereFieldsAreRight,
} from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

const TIMESTAMP = 'expected an RFC 3339 timestamp, such as 2030-01-31T09:00:00Z, or a path';

/** Time goes by: up to a year. */
export const waitSchema = z
  .strictObject({
    ...heading(z.literal('wait')),
    seconds: z
      .union([z.number().min(0).max(MAX_DURATION_SECONDS), path], {
        error: 'expected a number of seconds, or a path to one',
      })
      .optional()
      .describe('How long: a number, or a path to one.'),
    until: z
      .string({ error: TIMESTAMP })
      .refine((text) => isPath(text) || parseTimestamp(text) !== null, TIMESTAMP)
      .optional()
      .describe('Until when: an RFC 3339 timestamp, or a path to one.'),
    catch: catchField,
    ...results,
    next_step: nextStep,
  })
  .refine(({ seconds, until }) => (seconds === undefined) !== (until === undefined), {
    ...whereFieldsAreRight,
    error: 'expected either "seconds" or "until"',
  });

export type WaitDefinition = z.infer<typeof waitSchema>;

export const waitExpressions = expressionsIn('seconds', 'until');

export function compileWait(
  { seconds, until }: WaitDefinition,
  entering: ExpressionCompiler,
): OwnPart<WaitStep> {
  return {
    type: 'wait',
    value: entering.mapping(seconds ?? until ?? null),
    of: seconds === undefined ? 'until' : 'seconds',
    maxMs: MAX_DURATION_SECONDS * 1_000,
  };
}
