import type { AgentFailure, AgentOutcome } from '../../shared/engine/event.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import type { Attempt } from '../../shared/engine/state.ts';
import type { AgentTask } from '../../shared/messages/messages.ts';
import { AGENT_TOPIC, TASK_TOPICS, topics } from './topics.ts';
import { AUDIT, type World } from './world.ts';

/** The agents behind the bridge. */
export interface Agents {
  answer(task: AgentTask, attempt: Attempt): AgentOutcome;
  /** How long an answer, or a callback, may take at most. */
  readonly slowestMs: number;
  /** Of those that say that they will call back, this share never does. */
  readonly silent: number;
}

const CALLBACK_MS = 600_000;

/** What the bridge and the agents behind it do with tasks. */
export class BridgeModel {
  readonly #world: World;
  readonly #agents: Agents;

  constructor(world: World, agents: Agents) {
    this.#world = world;
    this.#agents = agents;
  }

  /** One invocation: a task or two. */
  async invoke(): Promise<boolean> {
    const { broker, random } = this.#world;
    const waiting = broker.waiting(TASK_TOPICS);
    if (waiting.length === 0) return false;
    const taken = broker.take(random.pick(waiting), 1 + random.int(2));
    try {
      for (const { topic, value } of taken.messages) {
        const task = value as unknown as AgentTask;
        if (topic === AGENT_TOPIC) this.#answerItself(task);
        else await this.#carryOut(task);
      }
    } catch (error) {
      this.#world.say(`bridge: ${(error as Error).message}`);
      return true;
    }
    if (!this.#world.chance(0.05)) broker.commit(taken);
    return true;
  }

  async #carryOut(task: AgentTask): Promise<void> {
    const world = this.#world;
    const { run_id: runId, step_execution_id: stepExecutionId } = task;
    const attempt = world.store.attempts.get(stepExecutionId)?.attempt;
    if (attempt?.status !== 'RUNNING' || attempt.acceptedAt !== null) return;
    this.#checkNotDone(runId, attempt);
    const outcome = this.#agents.answer(task, attempt);
    world.say(`agent ${task.step_id} ${stepExecutionId}: ${outcome.status}`, [runId]);
    // Who promises signs of life is slow more often.
    if (world.chance(attempt.heartbeatMs === null ? 0.1 : 0.5))
      return this.#callBackLater(task, attempt, outcome);
    if (world.chance(0.1)) return this.#publishLater(task, outcome);
    this.#publish(task, outcome);
    if (world.chance(0.05)) this.#publish(task, outcome);
  }

  /** An agent that reads its own topic knows nothing of what became of its task: it answers, late or never. */
  #answerItself(task: AgentTask): void {
    const world = this.#world;
    const { run_id: runId, step_execution_id: stepExecutionId } = task;
    const attempt = world.store.attempts.get(stepExecutionId)?.attempt;
    if (attempt === undefined) throw new Error(`${stepExecutionId} of ${runId} is not there`);
    const outcome = this.#agents.answer(task, attempt);
    world.count('task of a kafka agent');
    if (world.chance(0.15)) {
      world.count('never answered');
      world.say(`kafka agent ${task.step_id} ${stepExecutionId}: nothing`, [runId]);
      return;
    }
    if (world.chance(0.3)) this.#publishLater(task, outcome);
    else this.#publish(task, outcome);
    if (world.chance(0.05)) this.#publish(task, outcome);
  }

  #publishLater(task: AgentTask, outcome: AgentOutcome): void {
    const world = this.#world;
    const deliver = async () => {
      try {
        this.#publish(task, outcome);
      } catch {
        world.later(1_000, deliver);
      }
    };
    world.later(world.random.int(this.#agents.slowestMs), deliver);
  }

  /** No agent is asked for what it has done already. */
  #checkNotDone(runId: string, { stepId, scope, visit }: Attempt): void {
    const done = this.#world.store
      .attemptsOf(runId)
      .find(
        (each) =>
          each.status === 'COMPLETED' &&
          each.stepId === stepId &&
          each.scope === scope &&
          each.visit === visit,
      );
    if (done)
      throw new Error(`I2: ${runId} asks again for ${stepId}, which ${done.stepExecutionId} completed`);
  }

  #publish({ run_id: runId, ...task }: AgentTask, outcome: AgentOutcome): void {
    const answer = outcome.status === 'completed' ? { output_data: outcome.output } : errorOf(outcome.error);
    const value = {
      message_type: 'agent_result',
      run_id: runId,
      step_execution_id: task.step_execution_id,
      attempt: task.attempt,
      status: outcome.status,
      ...answer,
      result_token: task.result_token,
      ...(this.#world.random.chance(0.2) && inOtherWords(task, outcome)),
    };
    this.#world.broker.publish([
      { topic: topics.results, key: runId, value: value as unknown as JsonObject },
    ]);
  }

  /** 202: the agent calls back later by the API, with signs of life until then, or falls silent. */
  #callBackLater({ run_id: runId }: AgentTask, attempt: Attempt, outcome: AgentOutcome): void {
    const world = this.#world;
    const { stepExecutionId, heartbeatMs } = attempt;
    const deadlineAt = world.now + (attempt.timeoutMs ?? CALLBACK_MS);
    const heartbeatDueAt = heartbeatMs === null ? null : world.now + heartbeatMs;
    const wakeAt = Math.min(deadlineAt, heartbeatDueAt ?? deadlineAt);
    const accepted = { ...attempt, acceptedAt: world.now, deadlineAt, heartbeatDueAt, wakeAt };
    const row = world.store.attempts.get(stepExecutionId);
    if (row) world.store.attempts.set(stepExecutionId, { ...row, attempt: accepted });
    world.count('accepted');
    if (world.random.chance(this.#agents.silent)) return;
    const callsAt = world.now + world.random.int(Math.min(this.#agents.slowestMs, 2 * CALLBACK_MS));
    const callBack = () =>
      world.call(`callback ${stepExecutionId}`, runId, (changeRun) =>
        changeRun.change(
          runId,
          { type: 'agent_answered', stepExecutionId, attempt: null, outcome, logs: null },
          AUDIT,
        ),
      );
    world.later(callsAt - world.now, callBack);
    if (heartbeatMs === null) return;
    const beat = async () => {
      const isOpen = await world.callInPeace(runId, (changeRun) =>
        changeRun.heartbeat(runId, stepExecutionId),
      );
      if (isOpen && world.now < callsAt) world.later(Math.ceil(heartbeatMs / 2), beat);
    };
    world.later(Math.ceil(heartbeatMs / 2), beat);
  }
}

/** As clients of other languages may write it. */
function inOtherWords({ attempt }: Pick<AgentTask, 'attempt'>, { status }: AgentOutcome) {
  return {
    status: status.toUpperCase(),
    attempt: `${attempt}`,
    logs: [1, null],
    timestamp: 0,
    trace: '\u0000',
    ...(status === 'completed' && { error: null }),
  };
}

function errorOf({ code, message, retryable, retryAfterMs }: AgentFailure) {
  return {
    error: { code, message, retryable, ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }) },
  };
}
