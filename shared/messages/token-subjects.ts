import type { CancellationRequest, RetryRequest } from './messages.ts';

/*
 * What the tokens of our own records are tokens of. Each begins with a word, so that no token of an agent's task is one, and
 * none of one kind is one of another.
 */

export function retryTokenSubject({
  run_id,
  step_execution_id,
}: Pick<RetryRequest, 'run_id' | 'step_execution_id'>): string {
  return `retry ${run_id} ${step_execution_id}`;
}

/** With its time: sent once more after a retry, the record is as old as it was, and ends nothing. */
export function cancellationTokenSubject({
  run_id,
  timestamp,
}: Pick<CancellationRequest, 'run_id' | 'timestamp'>): string {
  return `cancel ${run_id} ${timestamp}`;
}
