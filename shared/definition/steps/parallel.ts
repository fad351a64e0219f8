import * as z from 'zod';
import type { ParallelStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import { retryField } from '../retry-policy.ts';
import { heading, name, nextStep, results, timeoutSeconds } from '../step-fields.ts';
import { expressionsIn, type OwnPart } from '../step-type.ts';

/** Branches run side by side, each on its own copy of the variables. */
export function parallelSchema<Steps extends z.ZodType>(steps: Steps) {
  const branch = z.strictObject({
    start_step: name.describe("The id of the branch's first step."),
    steps,
  });
  return z
    .strictObject({
      ...heading(z.literal('parallel')),
      branches: z
        .record(name, branch, { error: 'expected an object of branches by name' })
        .refine((branches) => Object.keys(branches).length > 0, 'expected at least one branch')
        .describe("By name; the step's output is an object of the branches' outputs by name."),
      wait_for: z
        .union([z.enum(['all', 'any'], { error: WAIT_FOR }), z.int().min(1)], { error: WAIT_FOR })
        .optional()
        .describe(
          'How many branches must complete: `all` (default), `any` or a count. The rest is cancelled.',
        ),
      timeout_seconds: timeoutSeconds,
      catch: catchField,
      ...results,
      next_step: nextStep,
      retry: retryField,
    })
    .superRefine(({ branches, wait_for }, context) => {
      const count = Object.keys(branches).length;
      if (typeof wait_for !== 'number' || wait_for <= count) return;
      const message = `expected at most the number of branches, ${count}, got ${wait_for}`;
      context.addIssue({ code: 'custom', path: ['wait_for'], message });
    });
}

const WAIT_FOR = 'expected "all", "any" or a count of branches';

export type ParallelDefinition<Steps> = z.infer<ReturnType<typeof parallelSchema<z.ZodType<Steps>>>>;

export const parallelExpressions = expressionsIn();

export function compileParallel({
  branches,
  wait_for = 'all',
}: ParallelDefinition<unknown>): OwnPart<ParallelStep> {
  const names = Object.keys(branches);
  const counts = { all: names.length, any: 1 };
  return {
    type: 'parallel',
    branches: Object.entries(branches).map(([name, { start_step }]) => ({ name, startStep: start_step })),
    needed: typeof wait_for === 'number' ? wait_for : counts[wait_for],
  };
}
