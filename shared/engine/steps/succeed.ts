import type { StepBehaviour } from '../flow.ts';
import type { SucceedStep } from '../plan.ts';

/*
 *   start  --> COMPLETED with its result, and so is its scope: the run, the branch, the item   | EXPRESSION_ERROR, DATA_LIMIT
 */
export const succeed: StepBehaviour<SucceedStep> = {
  start(flow, step, attempt) {
    const result = flow.evaluate(attempt, step.result, 'result');
    if (result !== null) flow.complete(attempt, result.value, { next: null });
  },
};
