import type { StepBehaviour } from '../flow.ts';
import { isJsonObject, type Json } from '../json.ts';
import type { FailStep } from '../plan.ts';
import { MAX_CODE_LENGTH, storableText } from '../storable-text.ts';

/*
 *   start  --> FAILED with its code and message, and so is its scope: the run, the branch, the item
 */
export const fail: StepBehaviour<FailStep> = {
  start(flow, step, attempt) {
    const made = flow.evaluate(attempt, step.failure, 'error');
    if (made === null) return;
    const { code = null, message = null } = isJsonObject(made.value) ? made.value : {};
    const failure = {
      code: storableText(textOf(code, 'FAILED'), MAX_CODE_LENGTH),
      message: textOf(message, 'The workflow says so'),
      retryable: false,
    };
    flow.fail(attempt, failure, null, { isFinal: true });
  },
};

function textOf(value: Json, otherwise: string): string {
  if (value === null || value === '') return otherwise;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
