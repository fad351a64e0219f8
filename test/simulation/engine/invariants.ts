import { joinPathOf } from '../../../shared/engine/container.ts';
import type { Decision } from '../../../shared/engine/effects.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { childScope, joinOf, scopesAround } from '../../../shared/engine/scope-path.ts';
import {
  type Attempt,
  isOpenAttempt,
  isOpenRun,
  type Join,
  type Run,
  type State,
} from '../../../shared/engine/state.ts';
import { itemScope } from '../../../shared/engine/view.ts';
import { changed, type StoredRun } from './engine-store.ts';

/** What every decision keeps (shared/engine/decide.ts), told from it alone. */
export function checkDecision(
  plan: Plan,
  before: State,
  { state, effects }: Extract<Decision, { ok: true }>,
  event: EngineEvent,
): void {
  const numbers = effects.flatMap((effect) => (effect.type === 'publish_update' ? [effect.sequence] : []));
  const expected = numbers.map((_, i) => before.run.sequence + 1 + i);
  hold(numbers.join() === expected.join(), `the updates are ${numbers}, after ${before.run.sequence}`);
  const isRepeated = event.type === 'answer_requested';
  if (isRepeated) hold(state.run === before.run, 'I4: it only answers again, and changes');
  hold(
    isRepeated || (numbers.length > 0 && state.run.sequence === numbers.at(-1)),
    `the sequence is ${state.run.sequence}`,
  );
  const isRetry = event.type === 'retry_requested';
  hold(
    isRetry || isRepeated || isOpenRun(before.run),
    `I4: ${event.type} changes a ${before.run.status} run`,
  );

  const opened = [...state.attempts.values()].filter(({ stepExecutionId: id }) => !before.attempts.has(id));
  const entered = opened.filter(({ startedAt }) => startedAt !== null);
  hold(isRetry || entered.length <= 1, `it enters ${entered.map(({ stepId }) => stepId)}`);
  // One that has not begun is held as its workflow is when it begins.
  const wasHeld = before.run.pausedAt !== null && before.run.status !== 'PENDING';
  const isHeld = wasHeld || state.run.pausedAt !== null;
  hold(isRetry || !entered.length || !isHeld, 'a paused run enters a step');
  const joinsOpened = [...state.joins.values()].filter(({ path }) => !before.joins.has(path));
  const mayRequest = joinsOpened.reduce((sum, { started }) => sum + started, 0) || 1;
  hold(isRetry || opened.length - entered.length <= mayRequest, `it requests ${opened.length} steps`);
  const settled = changed(before.attempts, state.attempts).filter(
    ({ stepExecutionId: id, status }) =>
      before.attempts.has(id) && status !== 'CANCELLED' && isClosed(status),
  );
  hold(settled.length <= 1, `it settles ${settled.map(({ stepId }) => stepId)}`);
  for (const [id, attempt] of before.attempts)
    hold(isOpenAttempt(attempt) || state.attempts.get(id) === attempt, `I2: ${id} is settled again`);

  const isStill = state.run.pausedAt !== null && (isRetry || before.run.pausedAt !== null);
  const mayEnd = !wasHeld || ['cancellation_requested', 'resume_requested', 'woken'].includes(event.type);
  hold(isOpenRun(state.run) || !isOpenRun(before.run) || mayEnd, `a paused run ends: ${state.run.status}`);
  for (const effect of effects) {
    if (effect.type === 'publish_update' || effect.type === 'cancel_child') continue;
    // Runs beside it go on, whose failed steps a retry is for too.
    const isOthers =
      effect.type === 'answer_parent' || effect.type === 'retry_child' || effect.type === 'ask_child';
    hold(!isStill || isOthers, `a paused run asks for ${effect.type}`);
    if (effect.type !== 'request_step' && effect.type !== 'dispatch_task') continue;
    const attempt = state.attempts.get(effect.stepExecutionId);
    hold(attempt !== undefined && isOpenAttempt(attempt), `I5: ${effect.type} without an open attempt`);
    hold(attempt?.wakeAt !== null, `I7: nothing wakes ${attempt?.stepId}`);
    if (effect.type === 'dispatch_task')
      hold(attempt?.status === 'RUNNING' && effect.inputData !== null, `I3: a task without input`);
  }
  void plan;
}

function isClosed(status: Attempt['status']): boolean {
  return status !== 'PENDING' && status !== 'RUNNING';
}

/** A run with its rows. */
export type RunRows = Pick<StoredRun, 'run' | 'plan' | 'attempts' | 'joins' | 'children'>;
export interface AllRuns {
  readonly runs: ReadonlyMap<string, { readonly run: Run }>;
}

/** What a run's rows keep. */
export function checkRun(stored: RunRows, store: AllRuns): void {
  const { run } = stored;
  const open = [...stored.attempts.values()].filter(isOpenAttempt);
  if (!isOpenRun(run)) {
    hold(open.length === 0, `I4: the ${run.status} run has ${open.length} open attempts`);
    hold(run.wakeAt === null && run.pausedAt === null && run.completedAt !== null, `I4: ${run.status}`);
    return;
  }
  if (run.status === 'PENDING') {
    hold(open.length === 0, 'the PENDING run has begun');
    hold(run.pausedAt !== null || run.wakeAt !== null, 'I7: nothing wakes the PENDING run');
    return;
  }
  // Its end is its resume's.
  if (run.pausedAt !== null && open.length === 0) return;
  const byScope = new Map<string, Attempt[]>();
  for (const attempt of open) byScope.set(attempt.scope, [...(byScope.get(attempt.scope) ?? []), attempt]);
  const seen = checkScope(stored, store, '', byScope);
  hold(seen === open.length, `${open.length - seen} open attempts are in scopes that have ended`);
  const isPaused = run.pausedAt !== null;
  hold(isPaused || run.timeoutAt === null || run.wakeAt !== null, 'I7: nothing wakes the run at its limit');
  checkStepsStarted(stored);
}

/** One open attempt in each open scope, at any depth. @returns how many attempts are open in it */
function checkScope(
  stored: RunRows,
  store: AllRuns,
  scope: string,
  open: ReadonlyMap<string, readonly Attempt[]>,
): number {
  const [attempt, ...more] = open.get(scope) ?? [];
  if (attempt === undefined || more.length > 0)
    throw new Error(
      `${stored.run.runId}: ${more.length + (attempt ? 1 : 0)} attempts are open in "${scope}"`,
    );
  const { type } = stored.plan.steps.get(attempt.stepId)!;
  const isPaused = stored.run.pausedAt !== null;
  if (attempt.status === 'PENDING') {
    hold(isPaused || attempt.wakeAt !== null, `I7: nothing wakes the PENDING ${attempt.stepId}`);
    return 1;
  }
  if (type === 'agent' || type === 'wait')
    hold(isPaused || attempt.wakeAt !== null, `I7: nothing wakes ${attempt.stepId}`);
  if (type === 'signal')
    hold(isPaused || (attempt.deadlineAt === null) === (attempt.wakeAt === null), 'I7: the signal');
  if (type === 'workflow') {
    const child = store.runs.get(attempt.childRunId ?? '');
    hold(child?.run.parent !== null && child !== undefined, `${attempt.stepId} waits for no run`);
    hold(
      isPaused || attempt.wakeAt !== null,
      `I7: nothing wakes ${attempt.stepId}, should its answer be lost`,
    );
  }
  if (type !== 'map' && type !== 'parallel') return 1;
  const join = stored.joins.get(joinPathOf(attempt));
  if (join === undefined) throw new Error(`The container ${attempt.stepId} has no join`);
  hold(join.stepExecutionId === attempt.stepExecutionId, `the join ${join.path} is another attempt's`);
  return 1 + checkJoin(stored, store, attempt, join, open);
}

function checkJoin(
  stored: RunRows,
  store: AllRuns,
  container: Attempt,
  join: Join,
  open: ReadonlyMap<string, readonly Attempt[]>,
): number {
  const children = [...stored.children.values()].filter(({ scope }) => joinOf(scope) === join.path);
  const count = (status: string) => children.filter((child) => child.status === status).length;
  hold(children.length === join.total, `${join.path} has ${children.length} children of ${join.total}`);
  hold(count('COMPLETED') === join.completed, `${join.path} counts ${join.completed}`);
  hold(count('FAILED') === join.failed, `${join.path} counts ${join.failed} failed`);
  const bytes = children
    .filter(({ status }) => status === 'COMPLETED')
    .reduce((sum, { output }) => sum + Buffer.byteLength(JSON.stringify(output)), 0);
  hold(bytes === join.outputBytes, `${join.path} counts ${join.outputBytes} bytes of ${bytes}`);
  const waiting = waitingOf(stored, join);
  hold(waiting.size === join.waiting, `${join.path} counts ${join.waiting} that wait of ${waiting.size}`);
  const running = children.filter(
    ({ index, status, scope }) =>
      index < join.started && status !== 'COMPLETED' && status !== 'FAILED' && !waiting.has(scope),
  );
  const step = stored.plan.steps.get(join.stepId);
  const atOnce = (step?.type === 'map' && step.maxConcurrency) || Infinity;
  hold(running.length <= atOnce, `${running.length} items of ${join.path} go on at once, ${atOnce} may`);
  for (const scope of waiting) hold(!open.has(scope), `${scope} waits, and goes on`);
  if (join.isOver) {
    const isPaused = stored.run.pausedAt !== null;
    hold(isPaused || container.wakeAt !== null, `I7: nothing wakes ${container.stepId}, which is over`);
  } else {
    // The last of those that went on has ended, and the next that waits since a retry is asked for.
    const isAsked = waiting.size > 0 && (stored.run.pausedAt !== null || container.wakeAt !== null);
    hold(running.length > 0 || isAsked, `I1: nothing goes on in ${join.path}`);
    const hasEnough = join.completed >= join.needed;
    hold(!hasEnough || stored.run.revisits, `${join.path} has what it needs and goes on`);
  }
  // What a join that has enough left behind does not begin again.
  const going = join.isOver || stored.run.revisits ? running.filter(({ scope }) => open.has(scope)) : running;
  return going.reduce((sum, { scope }) => sum + checkScope(stored, store, scope, open), 0);
}

/** Scopes of those that wait since a retry. */
function waitingOf({ children }: RunRows, { path, nextWaiting }: Join): ReadonlySet<string> {
  const waiting = new Set<string>();
  for (let index = nextWaiting; index !== null; ) {
    const scope = childScope(path, index);
    hold(!waiting.has(scope), `${scope} waits after itself`);
    waiting.add(scope);
    index = children.get(scope)?.nextWaiting ?? null;
  }
  return waiting;
}

function checkStepsStarted({ run, plan, attempts }: RunRows): void {
  const visits = new Set<string>();
  for (const { stepId, scope, visit } of attempts.values())
    if (itemScope(plan, plan.steps.get(stepId)!, scopesAround(scope)) === null)
      visits.add(JSON.stringify([scope, stepId, visit]));
  hold(visits.size === run.stepsStarted, `${run.stepsStarted} steps are counted of ${visits.size}`);
}

function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
