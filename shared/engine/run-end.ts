import type { Draft } from './draft.ts';
import type { RunOutcome } from './effects.ts';
import type { Json } from './json.ts';
import type { ScopeEnd } from './scope-end.ts';
import type { Attempt, Failure, Run } from './state.ts';
import { storableFailure } from './storable-text.ts';

/*
 * The ends of a run (I1, I4):
 *   RUNNING          --last step completed--> COMPLETED
 *   RUNNING          --step failed for good, or its time is up--> FAILED
 *   PENDING, RUNNING --cancelled-->           CANCELLED
 * A parent that waits for it is told. Where a pause holds it, its last step settles, and the end is that of the resume: until then
 * it is RUNNING without an open attempt at the top, with the error, if any, that it will end with.
 */

/** The top's last step came to this. */
export function endTop(draft: Draft, last: Attempt, end: ScopeEnd): void {
  if (end.status === 'COMPLETED') {
    if (draft.run.pausedAt === null) completeRun(draft, end.output);
  } else if (draft.run.pausedAt === null) failRun(draft, last, end.failure);
  else draft.run = { ...draft.run, error: errorOf(last, end.failure) };
}

export function completeRun(draft: Draft, output: Json): void {
  close(draft, { status: 'COMPLETED', outputData: output });
}

/** @param attempt the one that failed for good; null where no step is to blame. */
export function failRun(draft: Draft, attempt: Attempt | null, failure: Failure): void {
  const error = { ...storableFailure(failure), stepId: null, attempt: null };
  close(draft, { status: 'FAILED', error: attempt === null ? error : errorOf(attempt, failure) });
}

/** With the error that it was to end with when a pause held it. */
export function failAsHeld(draft: Draft): void {
  close(draft, { status: 'FAILED' });
}

function errorOf({ stepId, attempt }: Attempt, failure: Failure): NonNullable<Run['error']> {
  const { code, message } = storableFailure(failure);
  const text = `Step "${stepId}" failed with ${code} on attempt ${attempt}: ${message}`;
  return { code, message: text, stepId, attempt };
}

export function cancelRun(draft: Draft, by: string | null, reason: string | null): void {
  close(draft, { status: 'CANCELLED', error: null, cancellation: { by, reason, at: draft.now } });
}

function close(draft: Draft, end: Partial<Run>): void {
  draft.run = { ...draft.run, ...end, completedAt: draft.now, pausedAt: null, heldBy: null, wakeAt: null };
  draft.announce(null, end.error?.message);
  answerParent(draft);
}

/** What the run has come to, or what it cannot come to, to the attempt that waits for it. */
export function answerParent(draft: Draft, outcome: RunOutcome = outcomeOf(draft.run)): void {
  const { parent } = draft.run;
  if (parent !== null) draft.effects.push({ type: 'answer_parent', ...parent, outcome });
}

export function outcomeOf({ status, outputData, error, cancellation }: Run): RunOutcome {
  if (status === 'COMPLETED') return { output: outputData };
  if (status === 'CANCELLED') {
    const reason = cancellation?.reason ?? null;
    const message = reason === null ? 'The run was cancelled' : `The run was cancelled: ${reason}`;
    // Somebody wants it to end, and no other in its place.
    return { error: { code: 'CANCELLED', message, retryable: false } };
  }
  // Another producer's rows may lack it.
  const { code, message } = error ?? {
    code: 'FAILED',
    message: 'The run failed, and its row does not say why',
  };
  return { error: { code, message, retryable: true } };
}
