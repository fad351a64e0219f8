import type { GivenUp } from '../engine/event.ts';
import { storableText } from '../engine/storable-text.ts';
import type { BatchItem } from './batch.ts';
import type { Fault } from './error-policy.ts';

/**
 * What is decided instead of an item that nothing could be made of, so that nobody waits for it for ever: the next where that cannot be
 * saved either. A value fails its attempt, whose error may be caught; a defect the run, since to decide on would only meet it again.
 * None: somebody called, and is told.
 */
export function standInsFor({ event, audit }: BatchItem, fault: Fault): GivenUp[] {
  if (event.type === 'given_up') return [];
  const isAnswer = event.type === 'agent_answered';
  if (audit !== undefined && !isAnswer) return [];
  const failure = failureOf(fault);
  const isOfParent = event.type === 'retry_requested' || event.type === 'answer_requested';
  const asking = isOfParent ? event.parentStepExecutionId : null;
  const run: GivenUp = {
    type: 'given_up',
    ...failure,
    stepExecutionId: null,
    ...(asking && { parentStepExecutionId: asking }),
  };
  const { stepExecutionId = null } = 'stepExecutionId' in event ? event : {};
  if (fault.class !== 'value' || stepExecutionId === null) return [run];
  return [{ ...run, stepExecutionId }, run];
}

function failureOf({ class: kind, reason }: Fault): { code: string; message: string } {
  if (kind === 'value') return { code: 'UNSTORABLE', message: storableText(reason, MAX_REASON_LENGTH) };
  // What is inside is for the log.
  return {
    code: 'INTERNAL_ERROR',
    message: 'A mistake in Stepline kept this run from going on. The log has more about it, by the run_id.',
  };
}

const MAX_REASON_LENGTH = 1_000;
