import type { RetryRequest } from './messages.ts';

/** What a `retry_token` is the token of: both, so that no token of an agent's task is one. */
export function retryTokenSubject({
  run_id,
  step_execution_id,
}: Pick<RetryRequest, 'run_id' | 'step_execution_id'>): string {
  return `retry ${run_id} ${step_execution_id}`;
}
