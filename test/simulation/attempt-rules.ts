import { joinPathOf } from '../../shared/engine/container.ts';
import { isJsonObject } from '../../shared/engine/json.ts';
import type { Plan, PlanStep } from '../../shared/engine/plan.ts';
import { childOf, joinOf } from '../../shared/engine/scope-path.ts';
import { type Attempt, isOpenAttempt } from '../../shared/engine/state.ts';
import type { AttemptRow, RunRow } from '../support/memory-tables.ts';
import { type Change, CLOCKS_MS, type Commit, has, hold, isAbout, isSoon, transitionsOf } from './commit.ts';
import type { World } from './world.ts';

/** What each transaction keeps of the attempts that it writes. */
export class AttemptRules {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  check(change: Change<AttemptRow>, commit: Commit, plan: Plan): void {
    this.#checkRow(change, commit);
    this.#checkTime(change);
    const step = plan.steps.get(change.after.attempt.stepId);
    // A run that another producer inserted may be cancelled before it has a plan.
    if (step === undefined) return;
    this.#checkWork(change, commit, step);
    this.#checkGathered(change, step);
    this.#checkFailure(change, step);
  }

  #checkRow({ before, after: { runId, attempt } }: Change<AttemptRow>, { messages, runs }: Commit): void {
    const { stepExecutionId: id, stepId, scope, status } = attempt;
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
      const isTold = transitionsOf(messages, runId).some(
        (update) =>
          update.step_id === stepId &&
          (update.scope ?? '') === scope &&
          update.step_status === status &&
          update.attempt === attempt.attempt,
      );
      hold(isTold, `${id} of ${runId} is ${status}, and no update says so`);
    }
    const { run } = this.#world.store.runs.get(runId) as RunRow;
    const isAskedFor = status === 'PENDING' && attempt.dueAt === null && run.pausedAt === null;
    if (isAskedFor && before === undefined)
      hold(
        has(messages, 'step_request', { step_execution_id: id }) && isSoon(attempt.wakeAt, this.#world.now),
        `I5: ${id} of ${runId} is not asked for`,
      );
  }

  /** No clock is run ahead of, whoever says how late it is. */
  #checkTime({ before, after: { runId, attempt } }: Change<AttemptRow>): void {
    if (before === undefined) return;
    const { stepExecutionId: id, dueAt, deadlineAt, republishedAt } = before.attempt;
    const isPast = (time: number | null) => time === null || time <= this.#world.now + CLOCKS_MS;
    if (before.attempt.status === 'PENDING' && attempt.status === 'RUNNING')
      hold(isPast(dueAt), `${id} of ${runId} starts before it is due`);
    const isGivenUp =
      attempt.error?.message.startsWith('No answer came') || republishedAt !== attempt.republishedAt;
    if (isGivenUp) hold(isPast(deadlineAt), `${id} of ${runId} is given up before its deadline`);
  }

  /** What its type of step asks for, and what it came to. */
  #checkWork(
    { before, after: { runId, attempt } }: Change<AttemptRow>,
    commit: Commit,
    { type }: PlanStep,
  ): void {
    const { stepExecutionId: id, status, childRunId } = attempt;
    const { messages } = commit;
    const wasRunning = before?.attempt.status === 'RUNNING';
    const task = messages.find((message) => isAbout(message, 'agent_task', { step_execution_id: id }));
    if (type === 'agent' && status === 'RUNNING' && !wasRunning)
      hold(task !== undefined, `I5: ${id} of ${runId} is RUNNING and its agent is not asked`);
    if (task !== undefined)
      hold(
        attempt.inputData !== null && JSON.stringify(task.input_data) === JSON.stringify(attempt.inputData),
        `I3: the task of ${id} of ${runId} has another input`,
      );
    if (type === 'agent' && attempt.error?.message.startsWith('No answer came'))
      this.#checkTimedOut(runId, attempt);
    if (task !== undefined && wasRunning)
      hold(
        !this.#world.agentClocks.has(id),
        `The agent of ${id} of ${runId} has its task, and is asked again`,
      );
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
    if (childRunId !== null && (before?.attempt.childRunId ?? null) === null)
      this.#checkChildStarted(runId, id, childRunId, commit);
    const hasTimedOut = attempt.error?.message.startsWith(`The run ${childRunId} did not end by`);
    if (childRunId !== null && (status === 'CANCELLED' || hasTimedOut))
      hold(
        has(messages, 'cancellation_request', { run_id: childRunId }),
        `${id} of ${runId} is ${status} and its child ${childRunId} is not cancelled`,
      );
  }

  #checkTimedOut(runId: string, { stepExecutionId: id, deadlineAt, republishedAt }: Attempt): void {
    const { agentClocks, agentTasks } = this.#world;
    const until = agentClocks.get(id);
    const isInTime = until === undefined ? !agentTasks.has(id) : deadlineAt === until;
    hold(isInTime, `The agent of ${id} of ${runId} has until ${until}, and it ends by ${deadlineAt}`);
    hold(republishedAt !== null, `I7: ${id} of ${runId} times out, and its task went out once`);
  }

  /** What a container came to is what its branches or items came to. */
  #checkGathered({ before, after: { runId, attempt } }: Change<AttemptRow>, step: PlanStep): void {
    const isCompleted = attempt.status === 'COMPLETED' && before?.attempt.status === 'RUNNING';
    if (!isCompleted || step.output !== null || (step.type !== 'map' && step.type !== 'parallel')) return;
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

  /** A parallel step tolerates nothing: it fails as itself, or with what one of its branches failed with. */
  #checkFailure({ before, after: { runId, attempt } }: Change<AttemptRow>, step: PlanStep): void {
    const isFailed = attempt.status === 'FAILED' && before?.attempt.status === 'RUNNING';
    if (!isFailed || step.type !== 'parallel') return;
    const path = joinPathOf(attempt);
    const codes = [...this.#world.store.children.values()]
      .filter((row) => row.runId === runId && joinOf(row.child.scope) === path)
      .map(({ child }) => child.error?.code);
    const code = attempt.error?.code ?? '';
    const own = ['DATA_LIMIT', 'EXPRESSION_ERROR', 'STEP_LIMIT', 'TIMEOUT'];
    hold(
      own.includes(code) || codes.includes(code),
      `${path} of ${runId} fails with ${code}, and its branches with ${codes.join(', ')}`,
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
}
