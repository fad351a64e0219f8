import type { PlanCache } from '../../shared/application/plan-cache.ts';
import type { Plan } from '../../shared/engine/plan.ts';
import { EMPTY_PLAN } from '../../shared/engine/plan.ts';
import { isOpenAttempt, isOpenRun, type Run } from '../../shared/engine/state.ts';
import type { RunRow, Written } from '../support/memory-tables.ts';
import { AttemptRules } from './attempt-rules.ts';
import {
  type Change,
  CLOCKS_MS,
  type Commit,
  commitOf,
  has,
  hold,
  isAbout,
  isSoon,
  transitionsOf,
} from './commit.ts';
import { checkRun, type RunRows } from './engine/invariants.ts';
import type { World } from './world.ts';

/**
 * What each transaction keeps, told from the rows and the messages alone: the engine's invariants (shared/engine/decide.ts), and
 * that what is written and what is published belong together.
 */
export class CommitRules {
  readonly #world: World;
  readonly #plans: PlanCache;
  readonly #attempts: AttemptRules;

  constructor(world: World, plans: PlanCache) {
    this.#world = world;
    this.#attempts = new AttemptRules(world);
    this.#plans = plans;
  }

  check(written: Written): void {
    const { store } = this.#world;
    const commit = commitOf(store, written);
    for (const change of commit.runs) this.#checkRunRow(change, commit);
    for (const change of commit.attempts)
      this.#attempts.check(change, commit, this.#planOf(change.after.runId));
    this.#checkMessages(commit);
    for (const { before, after } of commit.runs) this.#checkCancelled(before?.run, after.run, commit);
    for (const runId of commit.runIds) {
      this.#checkSignals(runId);
      const rows = this.#rowsOf(runId);
      checkRun(rows, store);
      checkConcurrency(rows);
    }
  }

  #checkRunRow({ before, after: { run } }: Change<RunRow>, { messages, reopened, ...commit }: Commit): void {
    const { runId } = run;
    if (before === undefined) {
      hold(run.status === 'PENDING' && run.sequence === 0, `${runId} begins ${run.status}`);
      hold(has(messages, 'execution_request', { run_id: runId }), `I5: nobody is asked to execute ${runId}`);
      hold(isSoon(run.wakeAt, this.#world.now), `I7: nobody looks soon whether ${runId} has begun`);
      return;
    }
    const was = before.run;
    const transitions = transitionsOf(messages, runId);
    const numbers = transitions.map(({ sequence }) => sequence);
    const expected = Array.from({ length: run.sequence - was.sequence }, (_, i) => was.sequence + 1 + i);
    hold(
      numbers.join() === expected.join(),
      `${runId} goes from ${was.sequence} to ${run.sequence} by ${numbers}`,
    );
    hold(run.sequence > was.sequence, `${runId} is decided at ${run.sequence} and not told`);
    const told = run.pausedAt === null ? run.status : 'PAUSED';
    hold(
      transitions.at(-1)?.status === told,
      `${runId} is ${told}, and the last transition says ${transitions.at(-1)?.status}`,
    );
    const records = messages.filter((message) => isAbout(message, 'monitoring_update', { run_id: runId }));
    hold(records.length === 1, `${runId} is told by ${records.length} records`);
    hold(records[0]?.sequence === run.sequence, `${runId} is told as of ${records[0]?.sequence}`);

    if (was.status !== 'RUNNING' && run.status === 'RUNNING' && run.pausedAt === null)
      hold(!this.#isWorkflowPaused(runId), `${runId} begins, or goes on, and its workflow is paused`);
    if (!isOpenRun(was)) this.#checkClosedBefore(was, run, { messages, reopened, ...commit });
    if (was.pausedAt !== null && run.pausedAt === null && isOpenRun(run)) this.#checkResumed(runId);
    if (was.pausedAt !== null && was.status === 'RUNNING' && !isOpenRun(run))
      hold(
        run.status === 'CANCELLED' || transitions.some(({ status }) => status === 'RUNNING'),
        `the paused run ${runId} comes to its end before it is resumed: ${run.status}`,
      );
    if (was.pausedAt !== null && was.pausedAt === run.pausedAt)
      checkStillPaused(was, run, { messages, ...commit });
    if (run.parent !== null && !isOpenRun(run) && (isOpenRun(was) || reopened.has(runId))) {
      const answer = { run_id: run.parent.runId, step_execution_id: run.parent.stepExecutionId };
      const status = run.status === 'COMPLETED' ? 'completed' : 'failed';
      hold(
        has(messages, 'agent_result', { ...answer, status }),
        `${runId} is ${run.status} and its parent is not told`,
      );
    }
  }

  /** I4 */
  #checkClosedBefore(was: Run, run: Run, { attempts, reopened }: Omit<Commit, 'runs' | 'runIds'>): void {
    const { runId } = run;
    const { cancellable, retried, store } = this.#world;
    if (reopened.has(runId)) {
      // Each request opens it once.
      const forParent = retried.take(`${runId} for ${run.parent?.stepExecutionId}`);
      const askedAt = forParent ?? retried.take(runId);
      if (askedAt === null)
        throw new Error(`I4: ${runId} was ${was.status} and goes on, and nobody asked for it`);
      cancellable.dropBefore(runId, askedAt);
      if (forParent !== null)
        hold(
          isOpenAttempt(store.attempts.get(run.parent?.stepExecutionId ?? '')!.attempt),
          `${runId} goes on, and nobody waits for it`,
        );
      return;
    }
    const { sequence: _, parent, outputData: __, ...now } = run;
    const { sequence: ___, parent: parentBefore, outputData: ____, ...before } = was;
    hold(
      parent?.stepExecutionId !== parentBefore?.stepExecutionId &&
        JSON.stringify(now) === JSON.stringify(before),
      `I4: ${runId} was ${was.status} and changes`,
    );
    hold(
      !attempts.some((change) => change.after.runId === runId),
      `I4: ${runId} was ${was.status} and does more`,
    );
  }

  /** I4: a retry is not undone by the record of a cancellation that came before it. */
  #checkCancelled(was: Run | undefined, { runId, status }: Run, { messages }: Commit): void {
    const { cancellable, cancelledElsewhere } = this.#world;
    if (status === 'CANCELLED' && was?.status !== 'CANCELLED')
      hold(
        cancellable.has(runId) || cancelledElsewhere.has(runId),
        `I4: ${runId} is cancelled, and nobody asks for it any more`,
      );
    for (const { message_type: type, run_id, cancelled_by: by } of messages)
      if (type === 'cancellation_request' && by === null) cancellable.add(`${run_id}`);
  }

  /** Nobody waits for a signal that is there. */
  #checkSignals(runId: string): void {
    const { store } = this.#world;
    const waitingFor = store
      .attemptsOf(runId)
      .flatMap(({ status, signalName }) => (status === 'RUNNING' ? (signalName ?? []) : []));
    for (const { runId: ofRun, signal } of store.signals.values())
      hold(
        ofRun !== runId || signal.takenBy !== null || !waitingFor.includes(signal.name),
        `${runId} waits for the signal ${signal.name}, which came`,
      );
  }

  /** What fell due meanwhile is due now. */
  #checkResumed(runId: string): void {
    const { now, store } = this.#world;
    for (const { dueAt, deadlineAt, heartbeatDueAt, wakeAt, ...attempt } of store.attemptsOf(runId)) {
      const times = [dueAt, deadlineAt, heartbeatDueAt].filter((time) => time !== null);
      const isPast =
        isOpenAttempt({ ...attempt, dueAt, deadlineAt, heartbeatDueAt, wakeAt }) &&
        times.some((time) => time < now - CLOCKS_MS);
      hold(
        !isPast || (wakeAt ?? Infinity) <= now + CLOCKS_MS,
        `${attempt.stepId} of ${runId} fell due in the pause and waits on`,
      );
    }
  }

  /** I5 */
  #checkMessages({ messages, touched, runs }: Commit): void {
    const { store } = this.#world;
    for (const message of messages) {
      const { message_type: type, run_id: runId, step_execution_id: id } = message;
      hold(store.runs.has(`${runId}`), `I5: ${type} names ${runId}, which is not there`);
      if (type === 'agent_task' || type === 'step_request')
        hold(
          touched.has(`${id}`),
          `I5: ${type} names ${id} of ${runId}, which this transaction has not written`,
        );
      if (type === 'execution_request')
        hold(
          runs.some(({ before, after }) => !before && after.run.runId === runId),
          `I5: ${runId} is asked to be executed and was not inserted`,
        );
    }
  }

  #rowsOf(runId: string): RunRows {
    const { store } = this.#world;
    const { run } = store.runs.get(runId) as RunRow;
    const attempts = store.attemptsOf(runId).map((attempt) => [attempt.stepExecutionId, attempt] as const);
    const joins = [...store.joins.values()].flatMap((row) =>
      row.runId === runId ? [[row.join.path, row.join] as const] : [],
    );
    const children = [...store.children.values()].flatMap((row) =>
      row.runId === runId ? [[row.child.scope, row.child] as const] : [],
    );
    return {
      run,
      plan: this.#planOf(runId),
      attempts: new Map(attempts),
      joins: new Map(joins),
      children: new Map(children),
    };
  }

  #isWorkflowPaused(runId: string): boolean {
    const { pausedWorkflows, runs } = this.#world.store;
    return pausedWorkflows.has(runs.get(runId)?.definitionId ?? '');
  }

  #planOf(runId: string): Plan {
    const { store } = this.#world;
    const versionId = store.runs.get(runId)?.versionId ?? null;
    const version = versionId === null ? undefined : store.versions.get(versionId);
    if (versionId === null || version === undefined) return EMPTY_PLAN;
    return this.#plans.get(versionId) ?? this.#plans.add(versionId, version.definition);
  }
}

/** It starts nothing, and asks for nothing. */
function checkStillPaused(
  was: Run,
  { runId, status }: Run,
  { attempts, messages }: Pick<Commit, 'attempts' | 'messages'>,
): void {
  hold(
    was.status === status || !isOpenRun({ ...was, status }),
    `the paused run ${runId} was ${was.status} and is ${status}`,
  );
  for (const { before, after } of attempts) {
    if (after.runId !== runId) continue;
    const hasStarted = after.attempt.startedAt !== null && (before?.attempt.startedAt ?? null) === null;
    hold(!hasStarted, `the paused run ${runId} starts ${after.attempt.stepId}`);
  }
  for (const type of ['agent_task', 'step_request'])
    hold(!has(messages, type, { run_id: runId }), `the paused run ${runId} asks for something: ${type}`);
}

/** No more items of a map go on at once than it allows. */
function checkConcurrency({ run, plan, joins }: RunRows): void {
  if (run.status !== 'RUNNING') return;
  for (const { path, stepId, started, waiting, completed, failed, total } of joins.values()) {
    const step = plan.steps.get(stepId);
    if (step?.type !== 'map' || step.maxConcurrency === null) continue;
    const going = started - completed - failed - waiting;
    hold(going <= step.maxConcurrency, `${going} items of ${path} go on at once, ${step.maxConcurrency} may`);
    hold(started <= total, `${path} began ${started} of ${total}`);
  }
}
