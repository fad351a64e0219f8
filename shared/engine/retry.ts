import { goingOn, joinPathOf } from './container.ts';
import type { RefusalCode } from './decision.ts';
import type { AnswerRequested, RetryRequested } from './event.ts';
import type { Flow } from './flow.ts';
import type { Json } from './json.ts';
import { jsonBytes } from './json-size.ts';
import { endAsHeld, holdAsWorkflow } from './pause.ts';
import { answerParent, outcomeOf } from './run-end.ts';
import { childOf, childScope, joinOf, scopeOf, scopesAround } from './scope-path.ts';
import { type Attempt, type Child, isOpenAttempt, isOpenRun, type Join, latest, stepKey } from './state.ts';

/*
 * A closed run goes on: from where it ended, or from a step that it came by.
 *
 * From where it ended, the last attempt of the top is tried anew. Where that opened a join, the join is opened again: what
 * completed inside is kept, and each branch or item that began and did not complete goes on from its own last attempt, at any
 * depth: so many of them at once as the step lets, the others each when one has ended. From a step inside a join, the joins around it are opened again in the same way, and that step's scope goes on there.
 */

export function decideRetry(flow: Flow, event: RetryRequested): RefusalCode | null {
  const { draft } = flow;
  const { parentStepExecutionId: asking = null, previousParentStepExecutionId: previous = null } = event;
  const { parent, status } = draft.run;
  draft.mustKnow('lastAttempts');
  if (event.fromStep) draft.mustKnow('stepAttempts', stepKey(event.fromScope ?? '*', event.fromStep));
  const isOpen = isOpenRun(draft.run);
  if (parent !== null && asking !== null) {
    // I4: a repeated record, of this retry or one before it, opens no run that has closed again since.
    const isRepeated = parent.stepExecutionId === asking;
    const isOutdated = previous !== null && parent.stepExecutionId !== previous;
    if (isRepeated || isOutdated) return isOpen ? 'RUN_OPEN' : 'RUN_CLOSED';
    // Its cancellation may have been read before, and refused by a run that was closed still: it would run for nobody.
    if (!isWaiting(draft.parentAttempt(asking))) return 'PARENT_NOT_WAITING';
    draft.run = { ...draft.run, parent: { ...parent, stepExecutionId: asking } };
    if (isOpen || status === 'COMPLETED') return answerAnother(flow);
  }
  if (isOpen) return 'RUN_OPEN';
  const target = stepToRetry(draft.attempts.values(), event);
  // It was cancelled when a pause held its end: it comes to that.
  const comesToItsEnd = target === null && status === 'CANCELLED' && isAtEnd(flow);
  if (target === null && !comesToItsEnd && (status === 'COMPLETED' || isAtEnd(flow))) return 'RUN_COMPLETED';
  if (target === undefined || (target && !flow.plan.steps.has(target.stepId))) return 'STEP_NOT_REACHED';
  if (event.inputData !== undefined && (comesToItsEnd || !takesInput(flow, target))) return 'INPUT_NOT_TAKEN';
  reopen(flow, target !== null || event.changesVersion === true, event.requestedAt);
  const given = event.inputData === undefined ? {} : { inputData: event.inputData };
  if (comesToItsEnd) endAsHeld(flow);
  else if (target !== null) goBack(flow, target, given);
  else resumeScope(flow, '', given);
  return null;
}

/** Another attempt of the parent waits for it now: it goes on already, or has come to its output. */
function answerAnother(flow: Flow): null {
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

function isWaiting(parentAttempt: Attempt | undefined): boolean {
  return parentAttempt !== undefined && isOpenAttempt(parentAttempt);
}

/** @param mayRevisit it goes back, or its steps have another order from now on */
function reopen({ draft, plan }: Flow, mayRevisit: boolean, requestedAt: number | undefined): void {
  const { run, now } = draft;
  // A parent may have been cancelled before this was read: that is no cancellation that this undoes.
  const askedAt = Math.min(now, requestedAt ?? now);
  const timeoutAt = plan.timeoutMs === null ? null : now + plan.timeoutMs;
  draft.run = {
    ...run,
    status: 'RUNNING',
    startedAt: run.startedAt ?? now,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    // Not before a cancellation or another retry, whatever the clocks of the environments that decided those.
    retriedAt: Math.max(askedAt, run.cancellation?.at ?? askedAt, run.retriedAt ?? askedAt),
    revisits: run.revisits || mayRevisit,
    timeoutAt,
    wakeAt: timeoutAt,
  };
  holdAsWorkflow(draft);
  draft.announce(null);
}

type Given = Partial<Pick<Attempt, 'inputData'>>;

/** From the last attempt of the scope on. */
function resumeScope(flow: Flow, scope: string, given: Given = {}): void {
  const last = lastIn(flow, scope);
  if (last === null) {
    flow.request(startOf(flow, scope), scope, given);
    return;
  }
  const step = flow.stepOf(last.stepId);
  // It completed, and what follows it was not opened: only what was written by an earlier version.
  if (last.status === 'COMPLETED' && step.next !== null) {
    flow.request(step.next, scope, given);
    return;
  }
  const join = flow.draft.joins.get(joinPathOf(last));
  if (join !== undefined && last.status !== 'COMPLETED') reopenJoin(flow, last, join);
  else if (given.inputData !== undefined || !flow.behaviourOf(step).resumed?.(flow, step, last))
    request(flow, last, { ...given, visit: last.visit, attempt: last.attempt + 1 });
}

/** Anew, from this step on, with the variables and the error that it had; the joins around it open again. */
function goBack(flow: Flow, target: Attempt, given: Given): void {
  const path = joinOf(target.scope);
  // As they were when the step was entered: what later steps have set since is none of its. Before anything is opened.
  for (const scope of scopesAround(target.scope))
    flow.draft.resetScope(scope, flow.draft.earlier.get(scope) ?? {});
  if (path !== null) reopenAround(flow, path, target.scope);
  flow.request(target.stepId, target.scope, given);
}

/** The join, and those around it, outermost first; one scope of each is left to the caller. */
function reopenAround(flow: Flow, path: string, scope: string): void {
  const join = flow.draft.joins.get(path);
  if (join === undefined) throw new Error(`There is no join ${path}`);
  const around = joinOf(scopeOf(path));
  if (around !== null) reopenAround(flow, around, scopeOf(path));
  const container = lastOfStep(flow, join);
  reopenJoin(flow, container, join, scope);
}

/** A new attempt of the container, and its unfinished children going on; `except` is left to the caller. */
function reopenJoin(flow: Flow, container: Attempt, join: Join, except: string | null = null): void {
  const { draft } = flow;
  const deadlineAt = container.timeoutMs === null ? null : draft.now + container.timeoutMs;
  const running = flow.again(container, {
    status: 'RUNNING',
    startedAt: draft.now,
    deadlineAt,
    wakeAt: deadlineAt,
  });
  draft.put(running);
  draft.announce(running);
  const reopened = {
    ...without(flow, join, except === null ? undefined : draft.children.get(except)),
    stepExecutionId: running.stepExecutionId,
  };
  const hasEnough = reopened.completed >= join.needed;
  draft.mustKnow('unfinishedChildren');
  const left = [...draft.children.values()]
    .filter(
      ({ scope, index, status }) =>
        joinOf(scope) === join.path && (scope === except || (status !== 'COMPLETED' && index < join.started)),
    )
    .sort((a, b) => a.index - b.index);
  const step = flow.stepOf(container.stepId);
  const { atOnce, childEnded } = flow.behaviourOf(step);
  const others = hasEnough ? [] : left.filter(({ scope }) => scope !== except);
  // The caller's takes a place too.
  const places = Math.max(0, (atOnce?.(step) ?? Infinity) - (except === null ? 0 : 1));
  const waiting = others.slice(places);
  const waitsAfter = new Map(waiting.map(({ scope }, i) => [scope, waiting[i + 1]?.index ?? null]));
  for (const child of left) {
    const nextWaiting = waitsAfter.get(child.scope) ?? null;
    draft.putChild({ ...child, status: 'PENDING', nextWaiting, output: null, error: null });
  }
  draft.putJoin({
    ...reopened,
    waiting: waiting.length,
    nextWaiting: waiting[0]?.index ?? null,
    isOver: hasEnough && except === null,
  });
  if (hasEnough) {
    if (except === null) flow.ask(running);
    return;
  }
  for (const { scope } of others.slice(0, places)) resumeScope(flow, scope);
  // All that began completed, and were too large together: it goes on with the next.
  if (left.length === 0) childEnded?.(flow, step, join.path);
}

/**
 * One of the children that wait since a retry goes on, where one more may; the next by a record of its own.
 * @param atOnce so many of the join's children may be under way
 */
export function resumeWaiting(
  flow: Flow,
  container: Attempt,
  join: Join,
  atOnce: number,
): RefusalCode | null {
  const { draft } = flow;
  const { deadlineAt: wakeAt } = container;
  if (join.nextWaiting === null || goingOn(join) >= atOnce) {
    if (container.wakeAt === wakeAt) return 'NOT_DUE';
    // A child that ends asks for it.
    draft.put({ ...container, wakeAt });
    draft.announce(container);
    return null;
  }
  const scope = childScope(join.path, join.nextWaiting);
  const child = draft.children.get(scope);
  if (child === undefined) throw new Error(`The join ${join.path} has no child ${scope}`);
  const left = { ...join, waiting: join.waiting - 1, nextWaiting: child.nextWaiting };
  draft.putJoin(left);
  draft.putChild({ ...child, nextWaiting: null });
  resumeScope(flow, scope);
  if (left.waiting > 0 && goingOn(left) < atOnce) flow.ask(container);
  else draft.put({ ...container, wakeAt });
  return null;
}

/** What a join counts when its failed children, and this one, are to go on. */
function without({ draft }: Flow, join: Join, child: Child | undefined): Join {
  const open = { ...join, failed: 0, failure: null };
  if (child?.status !== 'COMPLETED') return open;
  // What a child came to is loaded where its join's children are gathered, and only there.
  const counted = draft.gathered.get(join.path)?.find(({ index }) => index === child.index);
  const outputBytes = join.outputBytes - jsonBytes(counted?.output ?? null);
  return { ...open, completed: join.completed - 1, outputBytes };
}

/** @param target null: where the run ended */
function takesInput(flow: Flow, target: Attempt | null): boolean {
  const { stepId } = target ?? lastIn(flow, '') ?? { stepId: flow.plan.startStep };
  return flow.behaviourOf(flow.stepOf(stepId)).takesInput ?? false;
}

/** Its last step completed, whatever else was written to it: by another producer, or by who cancelled it while its end was held. */
function isAtEnd(flow: Flow): boolean {
  const last = lastIn(flow, '');
  return last?.status === 'COMPLETED' && flow.stepOf(last.stepId).next === null;
}

function request(flow: Flow, last: Attempt, given: Partial<Attempt>): void {
  flow.request(last.stepId, last.scope, given);
}

/** The first step of a branch or item that came to none. */
function startOf({ draft, plan }: Flow, scope: string): string {
  const path = joinOf(scope);
  if (path === null) return plan.startStep;
  const container = plan.steps.get(draft.joins.get(path)?.stepId ?? '');
  if (container?.type === 'map') return container.startStep;
  const branch =
    container?.type === 'parallel' && container.branches.find(({ name }) => name === childOf(scope));
  if (!branch) throw new Error(`The plan has no scope ${scope}`);
  return branch.startStep;
}

function lastIn({ draft }: Flow, scope: string): Attempt | null {
  return latest([...draft.attempts.values()].filter((attempt) => attempt.scope === scope)) ?? null;
}

function lastOfStep({ draft }: Flow, { stepId, path }: Join): Attempt {
  const found = latest(
    [...draft.attempts.values()].filter(
      (attempt) => joinPathOf(attempt) === path && attempt.stepId === stepId,
    ),
  );
  if (found === undefined) throw new Error(`The join ${path} has no step`);
  return found;
}

/** The latest attempt of the step to go back to. Null: none is named; undefined: the run never came there. */
export function stepToRetry(
  attempts: Iterable<Attempt>,
  { fromStep = null, fromScope = null }: RetryRequested,
): Attempt | null | undefined {
  if (fromStep === null) return null;
  return latest(
    [...attempts].filter(
      ({ stepId, scope }) => stepId === fromStep && (fromScope === null || scope === fromScope),
    ),
  );
}
