import type { PlanCache } from '../../shared/application/plan-cache.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { isOpenRun } from '../../shared/engine/state.ts';
import type { Message } from './broker-model.ts';
import { CLOCKS_MS, hold } from './commit.ts';
import { CommitRules } from './commit-rules.ts';
import { AGENT_TOPIC, taskTopicOf, topics } from './topics.ts';
import type { World } from './world.ts';

/** The engine's invariants (shared/engine/decide.ts), watched from outside while a world goes on, and at its end. */
export class Invariants {
  readonly #world: World;
  readonly #rules: CommitRules;
  readonly #committed = new Set<string>();
  readonly #published = new Set<string>();
  readonly #updates = new Map<string, Map<number, string>>();
  /** What was found where nobody looks: a failed publishing is a normal thing, and what it throws is caught. */
  #found: Error | null = null;

  constructor(world: World, plans: PlanCache) {
    this.#world = world;
    this.#rules = new CommitRules(world, plans);
    world.store.onCommitted = (written) => {
      for (const id of written.outbox.keys())
        for (const { value } of world.store.outbox.get(id)?.entry.messages ?? [])
          this.#committed.add(JSON.stringify(withoutDeadline(value)));
      this.#watch(() => this.#rules.check(written));
    };
    world.watch.onSent = (message) => this.#watch(() => this.#checkDeadline(message));
    world.broker.onPublished = (message) => this.#watch(() => this.#checkPublished(message));
  }

  /** After each thing that happened. */
  check(): void {
    const found = this.#found ?? this.#world.found ?? this.#world.watch.found;
    if (found !== null) throw found;
  }

  /** When nothing moves any more. */
  checkEnd(): void {
    const { store, deadLetters } = this.#world;
    if (store.outbox.size > 0) throw new Error(`I5: ${store.outbox.size} outbox rows are left`);
    // A defect that ended its run is told; its run has the code.
    const isTold = ({ value }: Message) => `${value.reason}`.startsWith('The store says');
    const [unexpected] = deadLetters.filter((letter) => !isTold(letter) && !this.#isForged(letter));
    if (unexpected) throw new Error(`Dead letters: ${textOf(unexpected.value)}`);
    for (const message of this.#committed) {
      if (!this.#published.has(message) && !this.#world.watch.isExcused(message))
        throw new Error(`I5: committed and never published: ${message}`);
    }
    for (const { run } of store.runs.values()) {
      if (isOpenRun(run)) throw new Error(`I1: ${run.runId} is still ${run.status}`);
      const updates = this.#updates.get(run.runId);
      const numbers = [...(updates?.keys() ?? [])].sort((a, b) => a - b);
      if (numbers.length !== run.sequence || numbers.some((number, i) => number !== i + 1))
        throw new Error(`The updates of ${run.runId} are ${numbers.join()}, its sequence ${run.sequence}`);
    }
  }

  /** Of an owner's run, by somebody who is not. */
  #isForged({ value }: Message): boolean {
    const { message_type: type, cancelled_by: by, run_id: runId } = JSON.parse(decoded(value)) as JsonObject;
    const isOwned = this.#world.store.runs.get(`${runId}`)?.owner !== null;
    return type === 'cancellation_request' && by === 'them' && isOwned;
  }

  #checkPublished({ topic, value }: Message): void {
    const { workflow_plan: plan, ...message } = value;
    const text = JSON.stringify(withoutDeadline(message));
    this.#published.add(text);
    if (isFromOutside(value)) return;
    if (!this.#committed.has(text)) throw new Error(`I5: published and never committed: ${text}`);
    const { message_type: type, run_id: runId } = value;
    if (type === 'execution_request' && plan === undefined) throw new Error('A request without plan');
    if (type === 'agent_task') {
      if (topic !== taskTopicOf(value.agent_name)) throw new Error(`${text} goes to ${topic}`);
      if (topic === AGENT_TOPIC) this.#world.agentTasks.add(`${value.step_execution_id}`);
    } else if (topic === AGENT_TOPIC) throw new Error(`${text} goes to ${topic}`);
    if (topic !== topics.monitoringUpdates) return;
    const ofRun = this.#updates.get(`${runId}`) ?? new Map<number, string>();
    this.#updates.set(`${runId}`, ofRun);
    for (const { sequence } of value.transitions as JsonObject[]) {
      const number = Number(sequence);
      const before = ofRun.get(number);
      if (before !== undefined && before !== text)
        throw new Error(`Two updates of one number: ${before} and ${text}`);
      ofRun.set(number, text);
    }
  }

  /** An agent that has no bridge is told until when it is waited for. */
  #checkDeadline({ topic, value: { run_id: runId, step_execution_id: id, deadline } }: Message): void {
    if (topic !== AGENT_TOPIC) return;
    const { store, now } = this.#world;
    const attempt = store.attempts.get(`${id}`)?.attempt;
    const timeoutMs = attempt?.timeoutMs ?? planDefaults.defaultTimeoutMs;
    const isTrue = Math.abs(Date.parse(`${deadline}`) - (now + timeoutMs)) <= CLOCKS_MS;
    hold(isTrue, `The agent of ${id} of ${runId} is told ${deadline}, and has ${timeoutMs} ms`);
  }

  #watch(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#found ??= error as Error;
    }
  }
}

/** The timekeeper's, an agent's, another producer's. */
function isFromOutside({ message_type: type, ...message }: JsonObject): boolean {
  if (type === 'wake') return true;
  if (type === 'agent_result') return message.attempt !== undefined;
  return message.cancelled_by === 'them' || (type === 'execution_request' && !('input_data' in message));
}

function textOf(letter: JsonObject): string {
  return `${letter.reason}: ${decoded(letter)}`;
}

function decoded({ value }: JsonObject): string {
  return Buffer.from(`${value}`, 'base64').toString();
}

/** It is told at publishing, where there is no bridge to keep it. */
function withoutDeadline({ deadline: _, ...message }: JsonObject): JsonObject {
  return message;
}
