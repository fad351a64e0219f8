import { goingOn, joinPathOf } from './container.ts';
import type { RefusalCode } from './effects.ts';
import type { Flow } from './flow.ts';
import { jsonBytes } from './json-size.ts';
import { childOf, childScope, joinOf, scopeOf } from './scope-path.ts';
import { type Attempt, type Child, type Join, latest } from './state.ts';

/*
 * A scope goes on from its own last attempt. Where that opened a join, the join is opened again: what completed inside is kept, and each
 * branch or item that began and did not complete goes on in the same way, at any depth: so many of them at once as the step lets, the
 * others each when one has ended.
 */

export type Given = Partial<Pick<Attempt, 'inputData'>>;

/** From the last attempt of the scope on. */
export function resumeScope(flow: Flow, scope: string, given: Given = {}): void {
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

/** The join, and those around it, outermost first; one scope of each is left to the caller. */
export function reopenAround(flow: Flow, path: string, scope: string): void {
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
  draft.mustKnow('resuming', scope);
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

export function lastIn({ draft }: Flow, scope: string): Attempt | null {
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
