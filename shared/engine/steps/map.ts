import { joinPathOf, openJoin, outputOf, settleJoin, wakeJoin } from '../container.ts';
import { percentageOf } from '../decimal.ts';
import type { RefusalCode } from '../effects.ts';
import type { Flow, StepBehaviour } from '../flow.ts';
import type { MapStep } from '../plan.ts';
import { resumeWaiting } from '../resume-scope.ts';
import { childScope } from '../scope-path.ts';
import type { Attempt, GatheredChild } from '../state.ts';

/*
 *   start       --> RUNNING, the first steps of as many items requested as may be under way
 *                   no items                                    --> COMPLETED with []
 *                   `items` is no array, or of too many items   --> EXPRESSION_ERROR | DATA_LIMIT
 *   childEnded  --> the next item's first step requested; where items wait since a retry, itself, to let the next of them go on
 *   requested   --> every item ended, no more failed than is tolerated  --> COMPLETED with the outputs in item order
 *                   one more failed than is tolerated                   --> FAILED as that item | TOLERATED_FAILURES_EXCEEDED
 *   (container.ts has the rest)
 */
export const map: StepBehaviour<MapStep> = {
  opensScopes: true,

  start(flow, step, attempt) {
    const made = flow.evaluate(attempt, step.items, 'items');
    if (made === null) return;
    const { value: items } = made;
    const { maxMapItems } = flow.plan.settings;
    if (!Array.isArray(items)) {
      const message = `The items of step "${step.id}" are no array`;
      flow.fail(attempt, { code: 'EXPRESSION_ERROR', message, retryable: false });
    } else if (items.length > maxMapItems) {
      const message = `Step "${step.id}" has ${items.length} items; the limit is ${maxMapItems}`;
      flow.fail(attempt, { code: 'DATA_LIMIT', message, retryable: false });
    } else if (items.length === 0) {
      flow.complete(attempt, []);
    } else {
      const children = items.map((input, index) => ({ child: index, startStep: step.startStep, input }));
      openJoin(flow, { ...attempt, inputData: { items: items.length } }, children, {
        needed: items.length,
        tolerated: Math.max(
          step.toleratedFailures,
          percentageOf(items.length, step.toleratedFailurePercentage),
        ),
        started: Math.min(items.length, atOnce(step)),
      });
    }
  },

  atOnce,

  childEnded(flow, step, path) {
    const join = flow.draft.joins.get(path);
    if (join === undefined) return;
    if (join.waiting > 0) {
      const container = flow.draft.attempts.get(join.stepExecutionId);
      if (container !== undefined) flow.ask(container);
      return;
    }
    if (join.started >= join.total) return;
    flow.draft.putJoin({ ...join, started: join.started + 1 });
    flow.requestFirst(step.startStep, childScope(path, join.started));
  },

  opens: ({ startStep }) => [startStep],

  requested(flow, step, attempt) {
    const wentOn = goOn(flow, step, attempt);
    return wentOn === undefined ? settleJoin(flow, attempt, inOrder) : wentOn;
  },
  woken(flow, step, attempt, at) {
    const isPast = attempt.deadlineAt !== null && attempt.deadlineAt <= at;
    const wentOn = isPast ? undefined : goOn(flow, step, attempt);
    return wentOn === undefined ? wakeJoin(flow, attempt, at, inOrder) : wentOn;
  },
};

/** Where items wait since a retry; undefined: none does. */
function goOn(flow: Flow, step: MapStep, attempt: Attempt): RefusalCode | null | undefined {
  const join = flow.draft.joins.get(joinPathOf(attempt));
  if (join === undefined || join.isOver || join.waiting === 0) return undefined;
  return resumeWaiting(flow, attempt, join, atOnce(step));
}

function atOnce({ maxConcurrency }: MapStep): number {
  return maxConcurrency ?? AT_ONCE;
}

/** Where the step does not say. */
const AT_ONCE = 40;

function inOrder(children: readonly GatheredChild[]) {
  return children.map(outputOf);
}
