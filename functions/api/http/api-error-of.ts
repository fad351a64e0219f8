import { codeOf } from '../../../shared/application/error-policy.ts';
import { ApiError, badRequest, unavailable } from './api-error.ts';

/** What went wrong, as an answer. Errors are known by their `code`; what is unknown tells the client nothing. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  switch (codeOf(error)) {
    case 'DATABASE_UNAVAILABLE':
      return unavailable('The database is not available; try again', { cause: error });
    case 'JWKS_UNAVAILABLE':
      return unavailable('The keys of tokens cannot be read; try again', { cause: error });
    case 'TRANSACTION_CONFLICT':
      return unavailable('Another request was in the way; try again', { cause: error });
    case 'SEARCH_TOO_BROAD':
      return badRequest([{ path: 'q', message: 'expected words that fewer errors and logs have' }], {
        cause: error,
      });
    case 'STATEMENT_TIMEOUT':
      return unavailable('The database took too long; try again', { cause: error });
    case 'VALUE_REFUSED':
      return badRequest([{ path: '', message: 'expected values that can be stored' }], { cause: error });
    case 'IDEMPOTENCY_KEY_REUSED':
      return new ApiError(
        'CONFLICT',
        'This Idempotency-Key came with another request before; use a new one',
        {
          details: { reason: 'IDEMPOTENCY_KEY_REUSED' },
          cause: error,
        },
      );
    case 'OUT_OF_TIME':
      return unavailable('This took too long; try again', { cause: error });
    default:
      return new ApiError('INTERNAL_ERROR', 'Something went wrong here; the request id finds it in the log', {
        cause: error,
      });
  }
}
