import type { StepBehaviour } from '../flow.ts';
import type { PassStep } from '../plan.ts';

/*
 *   start  --> COMPLETED with its result   | EXPRESSION_ERROR, DATA_LIMIT
 */
export const pass: StepBehaviour<PassStep> = {
  start(flow, step, attempt) {
    const result = flow.evaluate(attempt, step.result, 'result');
    if (result !== null) flow.complete(attempt, result.value);
  },
};
