import { secondsToMs } from '../decimal.ts';
import type { StepBehaviour } from '../flow.ts';
import type { Json } from '../json.ts';
import type { WaitStep } from '../plan.ts';
import { storableText } from '../storable-text.ts';
import { parseTimestamp } from '../timestamp.ts';

/*
 *   start  --> RUNNING until its time       | EXPRESSION_ERROR: it says no time that can be waited for
 *              its time has come            --> COMPLETED
 *   woken  --> its time has come            --> COMPLETED
 *              earlier                      --> NOT_DUE
 */
export const wait: StepBehaviour<WaitStep> = {
  start(flow, step, attempt) {
    const made = flow.evaluate(attempt, step.value, step.of);
    if (made === null) return;
    const { now } = flow.draft;
    const dueAt = step.of === 'seconds' ? afterSeconds(made.value, now) : timestamp(made.value);
    if (dueAt === null || dueAt - now > step.maxMs) {
      const expected = step.of === 'seconds' ? 'a number of seconds from 0 on' : 'an RFC 3339 timestamp';
      const message = `Step "${step.id}" expected ${expected}, at most ${step.maxMs / 86_400_000} days from now, got ${storableText(JSON.stringify(made.value), 200)}`;
      flow.fail(attempt, { code: 'EXPRESSION_ERROR', message, retryable: false });
    } else if (dueAt <= now) {
      flow.complete(attempt, null);
    } else {
      const waiting = { ...attempt, dueAt, wakeAt: dueAt };
      flow.draft.put(waiting);
      flow.draft.announce(waiting);
    }
  },

  woken(flow, _step, attempt, at) {
    if (attempt.dueAt === null || attempt.dueAt > at) return 'NOT_DUE';
    flow.complete(attempt, null);
    return null;
  },
};

function afterSeconds(value: Json, now: number): number | null {
  return typeof value === 'number' && value >= 0 ? now + secondsToMs(value) : null;
}

function timestamp(value: Json): number | null {
  const time = typeof value === 'string' ? parseTimestamp(value) : null;
  return time && Math.ceil((time.epochSeconds + Number(`0.${time.fraction || '0'}`)) * 1_000);
}
