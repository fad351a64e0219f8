import type { JsonObject } from '../../shared/engine/json.ts';
import { isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { Message } from './broker-model.ts';
import { AGENT_TOPIC, type SimulatedRun, topics, type World } from './world.ts';

/** The engine's invariants (shared/engine/decide.ts), watched from outside while a world goes on, and at its end. */
export class Invariants {
  readonly #world: World;
  /** Rows that must never change again, as they were. */
  readonly #closedRuns = new Map<string, string>();
  readonly #closedAttempts = new Map<string, string>();
  readonly #committedEntries = new Set<string>();
  readonly #committed = new Set<string>();
  readonly #published = new Set<string>();
  readonly #updates = new Map<string, Map<number, string>>();
  readonly #fromOutside = new Set(['wake', 'agent_result']);

  constructor(world: World) {
    this.#world = world;
    const { onPoint } = world.store;
    world.store.onPoint = (point) => {
      if (point === 'committed') this.#collectCommitted();
      else onPoint(point);
    };
    world.broker.onPublished = (message) => this.#checkPublished(message);
  }

  /** After each thing that happened. */
  check(): void {
    const { store } = this.#world;
    this.#collectCommitted();
    for (const { run } of store.runs.values()) {
      if (isOpenRun(run)) {
        this.#closedRuns.delete(run.runId);
        const wakes = store.attemptsOf(run.runId).filter(isOpenAttempt);
        const canWake = run.status === 'PENDING' ? run.wakeAt !== null : wakes.length > 0;
        if (!canWake || wakes.some(({ wakeAt }) => wakeAt === null)) {
          throw new Error(`I7: nothing wakes the ${run.status} run ${run.runId}`);
        }
        if (wakes.length > 1) throw new Error(`I2: ${run.runId} has ${wakes.length} open attempts`);
      } else {
        const before = this.#closedRuns.get(run.runId);
        const now = JSON.stringify({ ...run, retriedAt: null });
        if (before !== undefined && before !== now && !this.#wentOn(before, now)) {
          throw new Error(`I4: the closed run ${run.runId} changed from ${before} to ${now}`);
        }
        this.#closedRuns.set(run.runId, now);
        if (store.attemptsOf(run.runId).some(isOpenAttempt)) {
          throw new Error(`I4: the closed run ${run.runId} has an open attempt`);
        }
      }
    }
    for (const { attempt, runId } of store.attempts.values()) {
      if (isOpenAttempt(attempt)) continue;
      const before = this.#closedAttempts.get(attempt.stepExecutionId);
      const now = JSON.stringify(attempt);
      if (before !== undefined && before !== now) {
        throw new Error(
          `I2: the settled attempt ${attempt.stepExecutionId} of ${runId} changed from ${before} to ${now}`,
        );
      }
      this.#closedAttempts.set(attempt.stepExecutionId, now);
    }
  }

  /** When nothing moves any more. */
  checkEnd(): void {
    const { store, runs, deadLetters } = this.#world;
    if (store.outbox.size > 0) throw new Error(`I5: ${store.outbox.size} outbox rows are left`);
    if (deadLetters.length > 0) throw new Error(`Dead letters: ${JSON.stringify(deadLetters[0])}`);
    for (const message of this.#committed) {
      if (!this.#published.has(message)) throw new Error(`I5: committed and never published: ${message}`);
    }
    for (const run of runs.values()) this.#checkOutcome(run);
  }

  #checkOutcome({ runId, workflow, faultFree, isHealed, lastCommand }: SimulatedRun): void {
    const { store } = this.#world;
    const { run } = store.runs.get(runId)!;
    const attempts = store.attemptsOf(runId);
    const completed = attempts.filter(({ status }) => status === 'COMPLETED').map(({ stepId }) => stepId);
    if (isOpenRun(run)) throw new Error(`I1: ${runId} is still ${run.status}`);
    if (completed.join() !== workflow.stepIds.slice(0, completed.length).join()) {
      throw new Error(`I2: ${runId} completed ${completed.join()}`);
    }
    const numbers = [...(this.#updates.get(runId)?.keys() ?? [])].sort((a, b) => a - b);
    if (numbers.length !== run.sequence || numbers.some((number, i) => number !== i + 1)) {
      throw new Error(`The updates of ${runId} are ${numbers.join()}, its sequence ${run.sequence}`);
    }
    const last = this.#updates.get(runId)?.get(run.sequence);
    if (!last?.includes(`"status":"${run.status}"`))
      throw new Error(`The last update of ${runId} is ${last}`);
    if (run.status === 'COMPLETED') {
      if (JSON.stringify(run.outputData) !== JSON.stringify(faultFree.output)) {
        throw new Error(`I6: ${runId} came to ${JSON.stringify(run.outputData)}`);
      }
      if (completed.length !== workflow.stepIds.length) throw new Error(`I6: ${runId} left out steps`);
      if (workflow.brokenStep !== null && !isHealed) throw new Error(`I6: ${runId} passed its broken step`);
    }
    if (run.status === 'FAILED') {
      if (run.error?.code !== 'BROKEN' || run.error.stepId !== workflow.brokenStep) {
        throw new Error(`I6: ${runId} failed with ${JSON.stringify(run.error)}`);
      }
    }
    if (run.status === 'CANCELLED' && !lastCommand?.startsWith('cancel')) {
      throw new Error(`I4: ${runId} is cancelled, and was retried since`);
    }
  }

  #collectCommitted(): void {
    for (const [id, { entry }] of this.#world.store.outbox) {
      if (this.#committedEntries.has(id)) continue;
      this.#committedEntries.add(id);
      for (const { value } of entry.messages) this.#committed.add(JSON.stringify(value));
    }
  }

  #checkPublished({ topic, key, value }: Message): void {
    const { workflow_plan: plan, ...message } = value;
    const text = JSON.stringify(message);
    this.#published.add(text);
    if (this.#fromOutside.has(value.message_type as string) || value.cancelled_by === 'them') return;
    const isForeign = value.message_type === 'execution_request' && !('input_data' in value);
    this.#collectCommitted();
    if (!isForeign && !this.#committed.has(text)) {
      throw new Error(`I5: published and never committed: ${text}`);
    }
    if (value.message_type === 'execution_request' && plan === undefined)
      throw new Error('A request without plan');
    if (topic === AGENT_TOPIC) this.#checkTask(value);
    if (topic === topics.monitoringUpdates) {
      const ofRun = this.#updates.get(key) ?? new Map<number, string>();
      this.#updates.set(key, ofRun);
      const before = ofRun.get(value.sequence as number);
      if (before !== undefined && before !== text)
        throw new Error(`Two updates of one number: ${before} and ${text}`);
      ofRun.set(value.sequence as number, text);
    }
  }

  #checkTask({ run_id, step_id, step_execution_id, input_data, idempotency_key }: JsonObject): void {
    const { store, runs } = this.#world;
    const run = runs.get(run_id as string);
    const expected = run?.faultFree.inputs.get(step_id as string);
    if (run !== undefined && JSON.stringify(input_data) !== JSON.stringify(expected)) {
      throw new Error(`I3: ${run_id} asks ${step_id} for ${JSON.stringify(input_data)}`);
    }
    if (idempotency_key !== `${run_id}:${step_id}:1`) throw new Error(`I6: the key is ${idempotency_key}`);
    if (!store.attempts.has(step_execution_id as string))
      throw new Error(`I5: no attempt ${step_execution_id}`);
  }

  /** Closed, retried and closed again between two looks. */
  #wentOn(before: string, now: string): boolean {
    return (
      (JSON.parse(now) as { sequence: number }).sequence >
      (JSON.parse(before) as { sequence: number }).sequence + 1
    );
  }
}
