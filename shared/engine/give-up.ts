import type { RefusalCode } from './effects.ts';
import type { GivenUp } from './event.ts';
import type { Flow } from './flow.ts';
import { answerParent, failRun } from './run-end.ts';
import { type Attempt, isOpenAttempt, isOpenRun } from './state.ts';

/*
 * An event came that nothing could be made of. What it was about fails, so that nobody waits for it for ever (I1):
 *
 *   open run, an open attempt named   --> that fails, not to be retried: what catches its error follows, or its scope ends
 *   open run                          --> FAILED, its open attempts CANCELLED
 *   closed run, asked to go on        --> the parent's attempt is answered: failed
 *   closed run                        --> RUN_CLOSED
 */
export function giveUp(flow: Flow, event: GivenUp): RefusalCode | null {
  const { draft } = flow;
  if (!isOpenRun(draft.run)) return tellParent(flow, event);
  const { code, message, stepExecutionId } = event;
  if (stepExecutionId === null) {
    flow.cancelOpen();
    failRun(draft, null, { code, message });
    return null;
  }
  const attempt = draft.attempts.get(stepExecutionId);
  if (attempt === undefined) return 'UNKNOWN_ATTEMPT';
  if (!isOpenAttempt(attempt)) return 'ATTEMPT_CLOSED';
  failAttempt(flow, attempt, event);
  return null;
}

function failAttempt(flow: Flow, attempt: Attempt, { code, message }: GivenUp): void {
  const { cancelled, opensScopes = false } = flow.behaviourOf(flow.stepOf(attempt.stepId));
  if (attempt.status === 'RUNNING' && opensScopes) throw new Error('What is open inside is not known here');
  if (attempt.status === 'RUNNING') cancelled?.(flow, flow.stepOf(attempt.stepId), attempt);
  flow.fail(attempt, { code, message, retryable: false });
}

function tellParent({ draft }: Flow, event: GivenUp): RefusalCode | null {
  const { parent } = draft.run;
  const { code, message, parentStepExecutionId: asking = null } = event;
  if (parent === null || asking === null) return 'RUN_CLOSED';
  draft.run = { ...draft.run, parent: { ...parent, stepExecutionId: asking } };
  answerParent(draft, { error: { code, message, retryable: false } });
  draft.announce(null);
  return null;
}
