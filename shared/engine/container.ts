import type { RefusalCode } from './effects.ts';
import type { Flow } from './flow.ts';
import type { Json } from './json.ts';
import { childScope, joinPath } from './scope-path.ts';
import type { Attempt, Child, GatheredChild, Join } from './state.ts';

/*
 * What parallel and map steps have in common: a join over scopes.
 *
 *   RUNNING --requested, woken, the join over-->     its open attempts cancelled, COMPLETED | FAILED
 *           --requested, the join not over-->        a child that waits since a retry goes on, where it may | NOT_DUE
 *           --woken past its deadline, not over-->   its open attempts cancelled, TIMEOUT
 *           --cancelled-->                           (its attempts are cancelled with it)
 */

/** The join that an attempt of a container opens. */
export function joinPathOf({ scope, stepId, visit }: Pick<Attempt, 'scope' | 'stepId' | 'visit'>): string {
  return joinPath(scope, stepId, visit);
}

/** What the children's outputs make together. */
export type Combine = (children: readonly GatheredChild[]) => Json;

/** Opens a join with all its children and begins the first of them. */
export function openJoin(
  flow: Flow,
  attempt: Attempt,
  children: readonly { readonly child: string | number; readonly startStep: string; readonly input: Json }[],
  { needed, tolerated, started }: Pick<Join, 'needed' | 'tolerated' | 'started'>,
): void {
  const { draft } = flow;
  const path = joinPathOf(attempt);
  const deadlineAt = attempt.timeoutMs === null ? null : draft.now + attempt.timeoutMs;
  const running: Attempt = { ...attempt, deadlineAt, wakeAt: deadlineAt };
  draft.put(running);
  draft.announce(running);
  draft.putJoin({
    path,
    stepId: attempt.stepId,
    stepExecutionId: attempt.stepExecutionId,
    total: children.length,
    needed,
    tolerated,
    started,
    waiting: 0,
    nextWaiting: null,
    completed: 0,
    failed: 0,
    outputBytes: 0,
    isOver: false,
    failure: null,
  });
  children.forEach(({ child, input }, index) => {
    const scope = childScope(path, child);
    draft.putChild({ scope, index, status: 'PENDING', nextWaiting: null, input, output: null, error: null });
  });
  for (const { child, startStep } of children.slice(0, started))
    flow.requestFirst(startStep, childScope(path, child));
}

/** So many of its children go on. */
export function goingOn({ started, completed, failed, waiting }: Join): number {
  return started - completed - failed - waiting;
}

/** Settles the step of a join that is over. */
export function settleJoin(flow: Flow, attempt: Attempt, combine: Combine): RefusalCode | null {
  const { draft } = flow;
  const path = joinPathOf(attempt);
  const join = draft.joins.get(path);
  if (join === undefined || !join.isOver) return 'NOT_DUE';
  const gathered = draft.gathered.get(path) ?? [];
  flow.cancelWithin(path);
  if (join.failure !== null) flow.fail(attempt, { ...join.failure, retryable: true });
  else flow.complete(attempt, combine(gathered));
  return null;
}

export function wakeJoin(flow: Flow, attempt: Attempt, at: number, combine: Combine): RefusalCode | null {
  const { deadlineAt } = attempt;
  const isOver = flow.draft.joins.get(joinPathOf(attempt))?.isOver;
  if (isOver || deadlineAt === null || deadlineAt > at) return settleJoin(flow, attempt, combine);
  flow.cancelWithin(joinPathOf(attempt));
  const message = `Step "${attempt.stepId}" did not come to its end by ${new Date(deadlineAt).toISOString()}`;
  flow.fail(attempt, { code: 'TIMEOUT', message, retryable: true });
  return null;
}

/** A child's part of what is put together; null where it did not complete. */
export function outputOf({ status, output }: Pick<Child, 'status' | 'output'>): Json {
  return status === 'COMPLETED' ? output : null;
}
