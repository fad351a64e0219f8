import type { ChoiceStep } from '../plan.ts';
import type { StepBehaviour } from '../step-behaviour.ts';

/*
 *   start  --> COMPLETED with {next_step}: of the first rule that holds, or the default  | NO_CHOICE_MATCHED
 */
export const choice: StepBehaviour<ChoiceStep> = {
  start(flow, step, attempt) {
    const view = flow.viewOf(step, attempt.scope, step.reads);
    const next = step.rules.find((rule) => rule.holds(view))?.next ?? step.otherwise;
    if (next === null) {
      const message = `None of the ${step.rules.length} choices of step "${step.id}" holds, and it has no default_next_step`;
      flow.fail(attempt, { code: 'NO_CHOICE_MATCHED', message, retryable: false });
    } else {
      flow.complete(attempt, { next_step: next }, { next });
    }
  },

  leadsTo: ({ rules, otherwise }) => [
    ...rules.map(({ next }) => next),
    ...(otherwise === null ? [] : [otherwise]),
  ],
};
