import type { RefusalCode } from './effects.ts';
import type { AnswerRequested } from './event.ts';
import type { Flow } from './flow.ts';
import type { Json } from './json.ts';
import { lastIn } from './resume-scope.ts';
import { answerParent, outcomeOf } from './run-end.ts';
import { type Attempt, isOpenAttempt, isOpenRun, stepKey } from './state.ts';

/** Another attempt of the parent waits for it now: it goes on already, or has come to its output. */
export function answerAnother(flow: Flow): null {
  const { draft } = flow;
  if (draft.run.status === 'COMPLETED') {
    draft.run = { ...draft.run, outputData: lastOutput(flow) };
    answerParent(draft);
  }
  draft.announce(null);
  return null;
}

/**
 * The parent waits and asks, since an answer may be lost. A run that has ended answers again, and is as it was (I4). Where it
 * knows of another attempt that waited, the request to go on for this one was lost: it asks that of itself, by a record.
 */
export function decideAnswer(
  flow: Flow,
  { parentStepExecutionId: asking }: AnswerRequested,
): RefusalCode | null {
  const { draft } = flow;
  const { parent, runId, status } = draft.run;
  if (parent === null || !isWaiting(draft.parentAttempt(asking))) return 'PARENT_NOT_WAITING';
  if (parent.stepExecutionId !== asking) {
    draft.effects.push({
      type: 'retry_child',
      childRunId: runId,
      stepExecutionId: asking,
      previousStepExecutionId: null,
    });
    return null;
  }
  if (isOpenRun(draft.run)) return 'RUN_OPEN';
  answerParent(draft, status === 'COMPLETED' ? { output: lastOutput(flow) } : outcomeOf(draft.run));
  return null;
}

/** That of its last step: what a run came to is not loaded with it. */
function lastOutput(flow: Flow): Json {
  const last = lastIn(flow, '');
  return last === null ? null : (flow.draft.outputs.get(stepKey('', last.stepId)) ?? null);
}

export function isWaiting(parentAttempt: Attempt | undefined): boolean {
  return parentAttempt !== undefined && isOpenAttempt(parentAttempt);
}
