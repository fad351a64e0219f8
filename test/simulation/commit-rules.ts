import { EMPTY_PLAN } from '../../shared/application/empty-plan.ts';
import type { PlanCache } from '../../shared/application/plan-cache.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { joinPathOf } from '../../shared/engine/container.ts';
import { isJsonObject, type JsonObject } from '../../shared/engine/json.ts';
import type { Plan } from '../../shared/engine/plan.ts';
import { childOf, joinOf } from '../../shared/engine/scope-path.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type Run } from '../../shared/engine/state.ts';
import type { AttemptRow, RunRow, Table, Written } from '../support/memory-tables.ts';
import { checkRun, type RunRows } from './engine/invariants.ts';
import type { World } from './world.ts';

/** Clocks are no further apart. */
const CLOCKS_MS = 10_000;

interface Change<Row> {
  readonly before: Row | undefined;
  readonly after: Row;
}

/** A transaction as it was committed: what it wrote, and the messages that it is to publish. */
interface Commit {
  readonly runs: readonly Change<RunRow>[];
  readonly attempts: readonly Change<AttemptRow>[];
  /** Ids of all attempts that it wrote, those whose times alone are new too. */
  readonly touched: ReadonlySet<string>;
  /** Of each run that it wrote any row of. */
  readonly runIds: ReadonlySet<string>;
  readonly messages: readonly JsonObject[];
  /** Runs that were closed before it, and were opened by it again. */
  readonly reopened: ReadonlySet<string>;
}

/**
 * What each transaction keeps, told from the rows and the messages alone: the engine's invariants (shared/engine/decide.ts), and
 * that what is written and what is published belong together.
 */
export class CommitRules {
  readonly #world: World;
  readonly #plans: PlanCache;

  constructor(world: World, plans: PlanCache) {
    this.#world = world;
    this.#plans = plans;
  }

  check(written: Written): void {
    const commit = this.#commitOf(written);
    const { store } = this.#world;
    for (const change of commit.runs) this.#checkRunRow(change, commit);
    for (const change of commit.attempts) this.#checkAttempt(change, commit);
    this.#checkMessages(commit);
    for (const { before, after } of commit.runs) this.#checkCancelled(before?.run, after.run, commit);
    for (const runId of commit.runIds) {
      this.#checkSignals(runId);
      const rows = this.#rowsOf(runId);
      checkRun(rows, store);
      checkConcurrency(rows);
    }
  }

  #commitOf(written: Written): Commit {
    const { store } = this.#world;
    const runs = changesOf(store.runs, written.runs).filter(
      ({ before, after }) => !isPushedOn(before?.run, after.run),
    );
    const attempts = changesOf(store.attempts, written.attempts).filter(
      ({ before, after }) => !isPushedOn(before?.attempt, after.attempt),
    );
    const messages = changesOf(store.outbox, written.outbox).flatMap(({ after }) =>
      after.entry.messages.map(({ value }) => value),
    );
    const others = [
      ...changesOf(store.joins, written.joins),
      ...changesOf(store.children, written.children),
      ...changesOf(store.data, written.data),
      ...changesOf(store.signals, written.signals),
    ].map(({ after }) => after.runId);
    const closedBefore = runs.filter(({ before }) => before && !isOpenRun(before.run));
    const reopened = closedBefore
      .map(({ after }) => after.run.runId)
      .filter((id) => updatesOf(messages, id).some(({ status }) => status === 'RUNNING'));
    const runIds = new Set([
      ...runs.map(({ after }) => after.run.runId),
      ...attempts.map(({ after }) => after.runId),
      ...others,
    ]);
    const touched = new Set(written.attempts.keys());
    return { runs, attempts, touched, messages, runIds, reopened: new Set(reopened) };
  }

  #checkRunRow({ before, after: { run } }: Change<RunRow>, { messages, reopened, ...commit }: Commit): void {
    const { runId } = run;
    if (before === undefined) {
      hold(run.status === 'PENDING' && run.sequence === 0, `${runId} begins ${run.status}`);
      hold(has(messages, 'execution_request', { run_id: runId }), `I5: nobody is asked to execute ${runId}`);
      hold(this.#isSoon(runId, run.wakeAt), `I7: nobody looks soon whether ${runId} has begun`);
      return;
    }
    const was = before.run;
    const updates = updatesOf(messages, runId);
    const numbers = updates.map(({ sequence }) => sequence);
    const expected = Array.from({ length: run.sequence - was.sequence }, (_, i) => was.sequence + 1 + i);
    hold(
      numbers.join() === expected.join(),
      `${runId} goes from ${was.sequence} to ${run.sequence} by ${numbers}`,
    );
    hold(run.sequence > was.sequence, `${runId} is decided at ${run.sequence} and not told`);
    const told = run.pausedAt === null ? run.status : 'PAUSED';
    hold(
      updates.at(-1)?.status === told,
      `${runId} is ${told}, and the last update says ${updates.at(-1)?.status}`,
    );

    if (!isOpenRun(was)) this.#checkClosedBefore(was, run, { messages, reopened, ...commit });
    if (was.pausedAt !== null && run.pausedAt === null && isOpenRun(run)) this.#checkResumed(runId);
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
    const { cancellable, retried } = this.#world;
    if (reopened.has(runId)) {
      // Each request opens it once.
      const askedAt = retried.take(`${runId} for ${run.parent?.stepExecutionId}`) ?? retried.take(runId);
      if (askedAt === null)
        throw new Error(`I4: ${runId} was ${was.status} and goes on, and nobody asked for it`);
      cancellable.dropBefore(runId, askedAt);
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

  #checkAttempt({ before, after: { runId, attempt } }: Change<AttemptRow>, commit: Commit): void {
    const { stepExecutionId: id, stepId, scope, status, childRunId } = attempt;
    const { messages, runs } = commit;
    const { run } = this.#world.store.runs.get(runId) as RunRow;
    hold(
      before === undefined || isOpenAttempt(before.attempt),
      `I2: ${id} of ${runId} was settled and changes`,
    );
    hold(
      runs.some((change) => change.after.run.runId === runId),
      `${runId} changes and its sequence does not`,
    );
    const wasRunning = before?.attempt.status === 'RUNNING';
    hold(!wasRunning || status !== 'PENDING', `${id} of ${runId} was RUNNING and is PENDING`);
    if (before?.attempt.status !== status) {
      const isTold = updatesOf(messages, runId).some(
        (update) =>
          update.step_id === stepId &&
          (update.scope ?? '') === scope &&
          update.step_status === status &&
          update.attempt === attempt.attempt,
      );
      hold(isTold, `${id} of ${runId} is ${status}, and no update says so`);
    }
    const task = messages.find((message) => isAbout(message, 'agent_task', { step_execution_id: id }));
    const type = this.#planOf(runId).steps.get(stepId)?.type;
    if (type === 'agent' && status === 'RUNNING' && !wasRunning)
      hold(task !== undefined, `I5: ${id} of ${runId} is RUNNING and its agent is not asked`);
    if (task !== undefined)
      hold(
        attempt.inputData !== null && JSON.stringify(task.input_data) === JSON.stringify(attempt.inputData),
        `I3: the task of ${id} of ${runId} has another input`,
      );
    if (type === 'agent' && attempt.error?.message.startsWith('No answer came'))
      hold(attempt.republishedAt !== null, `I7: ${id} of ${runId} times out, and its task went out once`);
    if (type === 'signal' && status === 'COMPLETED') {
      const signals = [...this.#world.store.signals.values()];
      hold(
        signals.some(({ signal }) => signal.takenBy === id),
        `${id} of ${runId} completes without a signal`,
      );
    }
    if (before === undefined && attempt.policyAttempt > 1 && (type === 'agent' || type === 'workflow')) {
      const { inputData } = this.#attemptBefore(runId, attempt);
      hold(
        JSON.stringify(attempt.inputData) === JSON.stringify(inputData),
        `${id} of ${runId} is tried again with another input`,
      );
    }
    const isAskedFor = status === 'PENDING' && attempt.dueAt === null && run.pausedAt === null;
    if (isAskedFor && before === undefined)
      hold(
        has(messages, 'step_request', { step_execution_id: id }) && this.#isSoon(runId, attempt.wakeAt),
        `I5: ${id} of ${runId} is not asked for`,
      );
    this.#checkGathered(runId, attempt, before?.attempt);
    if (childRunId !== null && (before?.attempt.childRunId ?? null) === null)
      this.#checkChildStarted(runId, id, childRunId, commit);
    const hasTimedOut = attempt.error?.message.startsWith(`The run ${childRunId} did not end by`);
    if (childRunId !== null && (status === 'CANCELLED' || hasTimedOut))
      hold(
        has(messages, 'cancellation_request', { run_id: childRunId }),
        `${id} of ${runId} is ${status} and its child ${childRunId} is not cancelled`,
      );
  }

  /** What a container came to is what its branches or items came to. */
  #checkGathered(runId: string, attempt: Attempt, before: Attempt | undefined): void {
    const step = this.#planOf(runId).steps.get(attempt.stepId);
    const isCompleted = attempt.status === 'COMPLETED' && before?.status === 'RUNNING';
    if (!isCompleted || step?.output !== null || (step.type !== 'map' && step.type !== 'parallel')) return;
    const path = joinPathOf(attempt);
    const children = [...this.#world.store.children.values()]
      .filter((row) => row.runId === runId && joinOf(row.child.scope) === path)
      .map(({ child }) => child)
      .sort((a, b) => a.index - b.index);
    const completed = children.filter(({ status }) => status === 'COMPLETED');
    const { outputData } = attempt;
    const byName = (chosen: typeof completed) =>
      Object.fromEntries(chosen.map((child) => [childOf(child.scope), child.output]));
    // One that ends in the same batch, when enough had ended, may be left out.
    const told = completed.filter(({ scope }) => isJsonObject(outputData) && childOf(scope) in outputData);
    const expected =
      step.type === 'map'
        ? children.map((child) => (child.status === 'COMPLETED' ? child.output : null))
        : byName(told.length >= step.needed ? told : completed);
    hold(
      JSON.stringify(expected) === JSON.stringify(outputData),
      `${path} of ${runId} gathers ${JSON.stringify(outputData)} of ${JSON.stringify(byName(completed))}`,
    );
  }

  #isSoon(runId: string, wakeAt: number | null): boolean {
    const { pickUpMs } = this.#planOf(runId).settings;
    return (
      wakeAt !== null && wakeAt <= this.#world.now + Math.max(pickUpMs, planDefaults.pickUpMs) + CLOCKS_MS
    );
  }

  #attemptBefore(runId: string, { scope, stepId, visit, attempt }: Attempt): Attempt {
    const before = this.#world.store
      .attemptsOf(runId)
      .find(
        (each) =>
          each.scope === scope &&
          each.stepId === stepId &&
          each.visit === visit &&
          each.attempt === attempt - 1,
      );
    if (before === undefined) throw new Error(`${runId} tries ${stepId} again and never tried it`);
    return before;
  }

  #checkChildStarted(runId: string, id: string, childRunId: string, { runs, messages }: Commit): void {
    const inserted = runs.some(({ before, after }) => !before && after.run.runId === childRunId);
    const goesOn = has(messages, 'retry_request', { run_id: childRunId, step_execution_id: id });
    hold(inserted !== goesOn, `${id} of ${runId} waits for ${childRunId}, which it neither starts nor wakes`);
    if (goesOn) this.#world.retried.add(`${childRunId} for ${id}`);
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

/** No more items of a map go on at once than it allows. What is tried again goes on together. */
function checkConcurrency({ run, plan, joins }: RunRows): void {
  if (run.retriedAt !== null) return;
  for (const { path, stepId, started, completed, failed, total } of joins.values()) {
    const step = plan.steps.get(stepId);
    if (step?.type !== 'map' || step.maxConcurrency === null) continue;
    const going = started - completed - failed;
    hold(going <= step.maxConcurrency, `${going} items of ${path} go on at once, ${step.maxConcurrency} may`);
    hold(started <= total, `${path} began ${started} of ${total}`);
  }
}

/** Meanwhile, by the timekeeper, which is no decision. */
function isPushedOn(before: Run | Attempt | undefined, after: Run | Attempt): boolean {
  return (
    before !== undefined && JSON.stringify({ ...before, wakeAt: after.wakeAt }) === JSON.stringify(after)
  );
}

function changesOf<Row>(table: Table<Row>, written: ReadonlyMap<string, Row | undefined>): Change<Row>[] {
  return [...written].flatMap(([key, before]) => {
    const after = table.get(key);
    return after === undefined ? [] : [{ before, after }];
  });
}

function updatesOf(messages: readonly JsonObject[], runId: string): JsonObject[] {
  return messages.filter((message) => isAbout(message, 'monitoring_update', { run_id: runId }));
}

function has(messages: readonly JsonObject[], type: string, fields: JsonObject): boolean {
  return messages.some((message) => isAbout(message, type, fields));
}

function isAbout(message: JsonObject, type: string, fields: JsonObject): boolean {
  return (
    message.message_type === type && Object.entries(fields).every(([name, value]) => message[name] === value)
  );
}

function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
