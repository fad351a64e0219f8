import type { RunRefusal } from '../../shared/application/change-run.ts';
import { ApiError, badRequest, notFound } from './api-error.ts';

const messages: Readonly<Record<string, string>> = {
  RUN_CLOSED: 'The run has ended already',
  RUN_OPEN: 'The run has not ended: only a failed or cancelled run can be retried',
  RUN_COMPLETED: 'The run has completed: there is nothing to retry',
  RUN_PAUSED: 'The run is paused already',
  RUN_NOT_PAUSED: 'The run is not paused',
  STEP_NOT_REACHED: 'The run has not come to this step, or has no such step',
  ATTEMPT_CLOSED: 'The step has been settled already',
};

/**
 * Why a run did not change, as an answer.
 * @param closedCode cancelling what has ended is a BAD_REQUEST, as its document has it; everything else is a CONFLICT.
 */
export function refusalError(
  refusal: RunRefusal,
  closedCode: 'BAD_REQUEST' | 'CONFLICT' = 'CONFLICT',
): ApiError {
  if (refusal.outcome === 'unknown_run') return notFound('Run');
  if (refusal.outcome === 'value_refused') {
    return badRequest([{ path: '', message: 'expected values that can be stored' }]);
  }
  if (refusal.outcome === 'defect')
    return new ApiError('INTERNAL_ERROR', 'Something went wrong here', { cause: refusal.reason });
  if (refusal.outcome === 'incompatible') {
    return new ApiError(closedCode, 'The version is not compatible with what the run has done', {
      details: { reason: 'INCOMPATIBLE_VERSION', step_ids: refusal.stepIds },
    });
  }
  const { code } = refusal;
  if (code === 'UNKNOWN_ATTEMPT') return notFound('Callback');
  const message = messages[code] ?? 'The run is not in a state for this';
  return new ApiError(closedCode, message, { details: { reason: code } });
}
