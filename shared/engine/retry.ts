import { joinPathOf } from './container.ts';
import type { RefusalCode } from './decision.ts';
import type { RetryRequested } from './event.ts';
import type { Flow } from './flow.ts';
import { childOf, isWithin, joinOf, scopeOf } from './scope-path.ts';
import { type Attempt, isOpenRun, type Join } from './state.ts';

/*
 * A closed run goes on: from where it ended, or from a step that it came by.
 *
 * From where it ended, the last attempt of the top is tried anew. Where that opened a join, the join is opened again: what
 * completed inside is kept, and each branch or item that began and did not complete goes on from its own last attempt, at any
 * depth. From a step inside a join, the joins around it are opened again in the same way, and that step's scope goes on there.
 */

export function decideRetry(flow: Flow, event: RetryRequested): RefusalCode | null {
  const { draft } = flow;
  const { fromStep = null, parentStepExecutionId = null } = event;
  const { parent, status } = draft.run;
  const asked =
    parent && parentStepExecutionId !== null ? { ...parent, stepExecutionId: parentStepExecutionId } : parent;
  if (isOpenRun(draft.run)) {
    if (asked === parent || asked?.stepExecutionId === parent?.stepExecutionId) return 'RUN_OPEN';
    // It is going on already; whom it answers has changed.
    draft.run = { ...draft.run, parent: asked };
    draft.announce(null);
    return null;
  }
  if (fromStep === null && status === 'COMPLETED') return 'RUN_COMPLETED';
  const target = fromStep === null ? null : latestOf(flow, fromStep, event.fromScope ?? null);
  if (target === undefined) return 'STEP_NOT_REACHED';
  if (target === null && isAtEnd(flow)) return 'RUN_COMPLETED';
  reopen(flow, asked, fromStep !== null);
  const given = event.inputData === undefined ? {} : { inputData: event.inputData };
  if (target !== null) goBack(flow, target, given);
  else resumeScope(flow, '', given);
  return null;
}

function reopen({ draft, plan }: Flow, parent: Flow['draft']['run']['parent'], goesBack: boolean): void {
  const { run, now } = draft;
  const timeoutAt = plan.timeoutMs === null ? null : now + plan.timeoutMs;
  draft.run = {
    ...run,
    status: 'RUNNING',
    startedAt: run.startedAt ?? now,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    // Not before the cancellation, whatever the clock of the environment that decided that.
    retriedAt: Math.max(now, run.cancellation?.at ?? now),
    revisits: run.revisits || goesBack,
    parent,
    timeoutAt,
    wakeAt: timeoutAt,
  };
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

/** Anew, from this step on; the joins around it open again. */
function goBack(flow: Flow, target: Attempt, given: Given): void {
  const path = joinOf(target.scope);
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
    inputData: container.inputData,
  });
  draft.put(running);
  draft.announce(running);
  const children = [...draft.children.values()].filter(({ scope }) => joinOf(scope) === join.path);
  const left = children.filter(({ scope }) => scope === except);
  const unfinished = children.filter(
    ({ scope, index, status }) => status !== 'COMPLETED' && index < join.started && scope !== except,
  );
  const completed = join.completed - left.filter(({ status }) => status === 'COMPLETED').length;
  const reopened = { ...join, stepExecutionId: running.stepExecutionId, completed, failed: 0, failure: null };
  const isOver = except === null && unfinished.length === 0 && completed >= join.needed;
  draft.putJoin({ ...reopened, isOver });
  for (const child of [...unfinished, ...left])
    draft.putChild({ ...child, status: 'PENDING', output: null, error: null });
  for (const { scope } of unfinished) resumeScope(flow, scope);
  if (isOver) flow.ask(running);
}

/** Its last step completed, whatever else was written to it: only by another producer. */
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

/** Undefined: the run never came there. */
function latestOf({ draft, plan }: Flow, stepId: string, scope: string | null): Attempt | undefined {
  if (!plan.steps.has(stepId)) return undefined;
  const attempts = [...draft.attempts.values()].filter((attempt) => attempt.stepId === stepId);
  return latest(
    attempts.filter((attempt) => scope === null || attempt.scope === scope || isWithin(attempt.scope, scope)),
  );
}

function latest(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.reduce<Attempt | undefined>(
    (last, attempt) => (last === undefined || attempt.createdAt > last.createdAt ? attempt : last),
    undefined,
  );
}
