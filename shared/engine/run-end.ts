import type { RunOutcome } from './decision.ts';
import type { Draft } from './draft.ts';
import type { Json } from './json.ts';
import type { Attempt, Failure, Run } from './state.ts';
import { storableFailure } from './storable-text.ts';

/*
 * The ends of a run (I1, I4):
 *   RUNNING          --last step completed--> COMPLETED
 *   RUNNING          --step failed for good, or its time is up--> FAILED
 *   PENDING, RUNNING --cancelled-->           CANCELLED
 * A parent that waits for it is told.
 */

export function completeRun(draft: Draft, output: Json): void {
  close(draft, { status: 'COMPLETED', outputData: output });
  answerParent(draft, { output });
}

/** @param attempt the one that failed for good; null where no step is to blame. */
export function failRun(draft: Draft, attempt: Attempt | null, failure: Failure): void {
  const { code, message } = storableFailure(failure);
  const text =
    attempt === null
      ? message
      : `Step "${attempt.stepId}" failed with ${code} on attempt ${attempt.attempt}: ${message}`;
  close(draft, {
    status: 'FAILED',
    error: { code, message: text, stepId: attempt?.stepId ?? null, attempt: attempt?.attempt ?? null },
  });
  answerParent(draft, { error: { code, message: text, retryable: true } });
}

export function cancelRun(draft: Draft, by: string | null, reason: string | null): void {
  close(draft, { status: 'CANCELLED', cancellation: { by, reason, at: draft.now } });
  const message = reason === null ? 'The run was cancelled' : `The run was cancelled: ${reason}`;
  // Somebody wants it to end, and no other in its place.
  answerParent(draft, { error: { code: 'CANCELLED', message, retryable: false } });
}

function close(draft: Draft, end: Partial<Run>): void {
  draft.run = { ...draft.run, ...end, completedAt: draft.now, pausedAt: null, heldBy: null, wakeAt: null };
  draft.announce(null, end.error?.message);
}

export function answerParent(draft: Draft, outcome: RunOutcome): void {
  const { parent } = draft.run;
  if (parent !== null) draft.effects.push({ type: 'answer_parent', ...parent, outcome });
}
