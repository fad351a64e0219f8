import * as z from 'zod';
import type { ChoiceStep } from '../../engine/plan.ts';
import { catchField } from '../catch.ts';
import {
  type Condition,
  checkCondition,
  checkConditions,
  compileCondition,
  conditionFields,
  pathsInCondition,
} from '../choice-condition.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { heading, name, whereFieldsAreRight } from '../step-fields.ts';
import type { ExpressionFinder, OwnPart } from '../step-type.ts';

interface Rule extends Condition {
  readonly next_step: string;
}

const rule: z.ZodType<Rule> = z
  .strictObject({
    ...conditionFields,
    next_step: name.describe('The step that follows where the condition holds.'),
  })
  .superRefine(checkCondition, whereFieldsAreRight);

/** The first rule that holds says what follows. */
export const choiceSchema = z.strictObject({
  ...heading(z.literal('choice')),
  choices: z
    .array(rule, { error: 'expected a list of rules' })
    .min(1, 'expected at least one rule')
    .superRefine(checkConditions)
    .describe(
      'Rules, in their order: `variable` and one comparison, or `and`, `or`, `not`; and `next_step`.',
    ),
  default_next_step: name
    .optional()
    .describe('The step that follows where no rule holds; absent: that is the error NO_CHOICE_MATCHED.'),
  catch: catchField,
});

export type ChoiceDefinition = z.infer<typeof choiceSchema>;

export const choiceExpressions: ExpressionFinder = ({ choices }) =>
  Array.isArray(choices) ? choices.flatMap((rule, i) => pathsInCondition(rule, `choices.${i}`)) : [];

export function compileChoice(
  { choices, default_next_step }: ChoiceDefinition,
  entering: ExpressionCompiler,
): OwnPart<ChoiceStep> {
  return {
    type: 'choice',
    rules: choices.map((rule) => ({ next: rule.next_step, holds: compileCondition(rule, entering) })),
    otherwise: default_next_step ?? null,
  };
}
