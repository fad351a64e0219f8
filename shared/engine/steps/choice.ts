import type { StepBehaviour } from '../flow.ts';
import type { ChoiceStep, Expression } from '../plan.ts';

/*
 *   start  --> COMPLETED with {next_step}: of the first rule that holds, or the default  | NO_CHOICE_MATCHED, EXPRESSION_ERROR
 */
export const choice: StepBehaviour<ChoiceStep> = {
  start(flow, step, attempt) {
    const { otherwise, reads, rules } = step;
    const chosen: Expression = {
      reads,
      evaluate: (view) => rules.find((rule) => rule.holds(view))?.next ?? otherwise,
    };
    const made = flow.evaluate(attempt, chosen, 'choice');
    if (made === null) return;
    const { value: next } = made;
    if (typeof next === 'string') {
      flow.complete(attempt, { next_step: next }, { next });
      return;
    }
    const message = `None of the ${rules.length} choices of step "${step.id}" holds, and it has no default_next_step`;
    flow.fail(attempt, { code: 'NO_CHOICE_MATCHED', message, retryable: false });
  },

  leadsTo: ({ rules, otherwise }) => [
    ...rules.map(({ next }) => next),
    ...(otherwise === null ? [] : [otherwise]),
  ],
};
