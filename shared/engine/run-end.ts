import type { Draft } from './draft.ts';
import type { Json } from './json.ts';
import type { Attempt, Failure } from './state.ts';

/*
 * The ends of a run (I1, I4):
 *   RUNNING          --last step completed--> COMPLETED
 *   RUNNING          --step failed for good-> FAILED
 *   PENDING, RUNNING --cancelled-->           CANCELLED
 */

export function completeRun(draft: Draft, output: Json): void {
  draft.run = {
    ...draft.run,
    status: 'COMPLETED',
    outputData: output,
    completedAt: draft.now,
    wakeAt: null,
  };
  draft.announce(null);
}

/** @param attempt the one that failed for good; null where no step is to blame. */
export function failRun(draft: Draft, attempt: Attempt | null, { code, message }: Failure): void {
  const text =
    attempt === null
      ? message
      : `Step "${attempt.stepId}" failed with ${code} on attempt ${attempt.attempt}: ${message}`;
  draft.run = {
    ...draft.run,
    status: 'FAILED',
    error: { code, message: text, stepId: attempt?.stepId ?? null, attempt: attempt?.attempt ?? null },
    completedAt: draft.now,
    wakeAt: null,
  };
  draft.announce(null, text);
}

export function cancelRun(draft: Draft, by: string | null, reason: string | null): void {
  draft.run = {
    ...draft.run,
    status: 'CANCELLED',
    cancellation: { by, reason, at: draft.now },
    completedAt: draft.now,
    wakeAt: null,
  };
  draft.announce(null);
}
