import * as z from 'zod';
import { limits } from '../config/limits.ts';
import { secondsToMs } from '../engine/decimal.ts';
import type { Json } from '../engine/json.ts';
import { atMostCharacters } from '../validation/characters.ts';
import { isPath } from './json-path.ts';

/** Seconds: a year. */
export const MAX_DURATION_SECONDS = 31_536_000;

export const name = z
  .string({ error: 'expected text' })
  .min(1, 'expected at least one character')
  .check(atMostCharacters(limits.maxNameLength))
  .regex(/^[^\p{C}]*$/u, 'expected no control characters')
  .refine((text) => text.trim() === text, 'expected no space at either end');

export const json = z.custom<Json>((value) => value !== undefined, 'expected JSON');

export const path = z
  .string({ error: 'expected a path, such as $.workflow_input.items' })
  .refine(isPath, 'expected a path, such as $.workflow_input.items');

export const mapping = z.record(z.string(), json, { error: 'expected an object' });

export const seconds = z.number().positive().max(MAX_DURATION_SECONDS);

/** An error code: an agent's own, or the engine's. */
export const errorCode = z.string({ error: 'expected text' }).min(1).check(atMostCharacters(255));

/*
 * The fields that steps of several types have. What is stored keeps the order of a schema's fields, and a definition that is
 * registered again is known by its text: `next_step`, `input_mapping` and `retry` stay the last.
 */

export function heading<Type extends z.ZodType>(type: Type) {
  return {
    id: name.optional().describe("The step's key, if given."),
    name: name.optional().describe('For people; default: the id.'),
    description: z.string().check(atMostCharacters(4_000)).optional().describe('For people.'),
    type: type.describe('What kind of step it is; absent: `agent`.'),
    step_type: name.optional().describe('A label for logs; default: the type.'),
  };
}

export const nextStep = name
  .nullable()
  .default(null)
  .describe('The step after this one; null, or absent: it is the last of its scope.');

/** For checks across fields, which would only repeat in other words what is wrong with one. */
export const whereFieldsAreRight = {
  when: ({ issues }: { readonly issues: readonly unknown[] }) => issues.length === 0,
};

/** How a step's result is kept. */
export const results = {
  output_mapping: json
    .optional()
    .describe(
      "Reshapes what the step came to, which is `$.output`, into its `output_data`: JSON in which a string that starts `$.` or `$[` is a JSONPath over the run's data.",
    ),
  assign: mapping
    .optional()
    .describe(
      'Variables to set when the step completes, by name: later steps see them as `$.variables.<name>`. Paths may read `$.output`.',
    ),
};

export const timeoutSeconds = seconds
  .optional()
  .describe('How long the step may take; longer is the error TIMEOUT.');

export const inputMapping = mapping
  .default({})
  .describe("What is handed over; a string that starts `$.` or `$[` is a JSONPath over the run's data.");

export function millisecondsOf(durationSeconds: number | undefined): number | null {
  return durationSeconds === undefined ? null : secondsToMs(durationSeconds);
}
