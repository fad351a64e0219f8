import type { RunRefusal } from '../../../shared/application/change-run.ts';
import { ApiError, badRequest, notFound } from './api-error.ts';

const messages: Readonly<Record<string, string>> = {
  RUN_CLOSED: 'The run has ended already',
  RUN_OPEN: 'The run has not ended: only a failed or cancelled run can be retried',
  RUN_COMPLETED: 'The run has completed: only with a step to go back to, as from_step, can it be retried',
  ATTEMPT_CLOSED: 'The step has been settled already',
};

/** In a message; its details have all. */
const NAMED_STEPS = 5;

/**
 * Why a run did not change, as an answer.
 * @param closedCode cancelling what has ended is a BAD_REQUEST, as its document has it; everything else is a CONFLICT.
 */
export function refusalError(
  refusal: RunRefusal,
  closedCode: 'BAD_REQUEST' | 'CONFLICT' = 'CONFLICT',
): ApiError {
  if (refusal.outcome === 'unauthorised' || refusal.outcome === 'unknown_run') return notFound('Run');
  if (refusal.outcome === 'value_refused') {
    return badRequest([{ path: '', message: 'expected values that can be stored' }]);
  }
  if (refusal.outcome === 'defect') {
    const message = 'The engine failed on this run; the request id finds it in the log';
    return new ApiError('EXECUTION_ERROR', message, { cause: refusal.reason });
  }
  if (refusal.outcome === 'incompatible') {
    const { stepIds } = refusal;
    const more = stepIds.length > NAMED_STEPS ? ` and ${stepIds.length - NAMED_STEPS} more` : '';
    const named = `${stepIds.slice(0, NAMED_STEPS).join(', ')}${more}`;
    const message = `The version is not compatible with what the run has done: it has not as they were the steps ${named}`;
    return new ApiError('CONFLICT', message, {
      details: { reason: 'INCOMPATIBLE_VERSION', step_ids: stepIds },
    });
  }
  const { code } = refusal;
  if (code === 'UNKNOWN_ATTEMPT') return notFound('Callback');
  const message = messages[code] ?? 'The run is not in a state for this';
  return new ApiError(closedCode, message, { details: { reason: code } });
}
