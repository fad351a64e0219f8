import { withPlans } from '../../shared/application/publish-entries.ts';
import { agentsOf } from '../../shared/application/route-tasks.ts';
import { isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { BrokerModel, Message } from './broker-model.ts';
import { routeTasks, topics } from './topics.ts';

const LEASE_MS = 60_000;
export const LEFT_BEHIND_MS = 4_000;

export interface TimekeepersWorld {
  readonly store: MemoryStore;
  readonly broker: BrokerModel;
  readonly now: number;
  chance(probability: number): boolean;
}

/** As functions/timekeeper: it pushes the times of rows on, and waits for no run's lock. */
export class TimekeeperModel {
  readonly #world: TimekeepersWorld;

  constructor(world: TimekeepersWorld) {
    this.#world = world;
  }

  /** @returns whether anything was due */
  fireDueTimes(): boolean {
    const { store, now, broker } = this.#world;
    const isDue = (wakeAt: number | null) => wakeAt !== null && wakeAt <= now;
    const runs = [...store.runs.values()].filter(({ run }) => isOpenRun(run) && isDue(run.wakeAt));
    const attempts = [...store.attempts.values()].filter(
      ({ attempt }) => isOpenAttempt(attempt) && isDue(attempt.wakeAt),
    );
    if (runs.length + attempts.length === 0) return false;
    try {
      broker.publish([
        ...attempts.map(({ runId, attempt }) => this.#wake(runId, attempt.stepExecutionId)),
        ...runs.map(({ run }) => this.#wake(run.runId, null)),
      ]);
    } catch {
      return true;
    }
    // Published and not committed: they fire again.
    if (this.#world.chance(0.05)) return true;
    const wakeAt = now + LEASE_MS;
    for (const row of runs) store.runs.set(row.run.runId, { ...row, run: { ...row.run, wakeAt } });
    for (const row of attempts)
      store.attempts.set(row.attempt.stepExecutionId, { ...row, attempt: { ...row.attempt, wakeAt } });
    return true;
  }

  /** @returns whether anything was left behind */
  async publishLeftBehind(): Promise<boolean> {
    const { store, now, broker } = this.#world;
    const left = [...store.outbox.values()].filter(({ createdAt }) => createdAt < now - LEFT_BEHIND_MS);
    if (left.length === 0) return false;
    const unrouted = left.map(({ entry }) => entry);
    const entries = await routeTasks(unrouted, store.routesOf(agentsOf(unrouted)));
    try {
      broker.publish(entries.flatMap((entry) => withPlans(entry, store.versions).messages));
    } catch {
      return true;
    }
    if (!this.#world.chance(0.05)) store.removeOutbox(left.map(({ entry }) => entry.id));
    return true;
  }

  #wake(runId: string, stepExecutionId: string | null): Message {
    const timestamp = new Date(this.#world.now).toISOString();
    const value = { message_type: 'wake', run_id: runId, step_execution_id: stepExecutionId, timestamp };
    return { topic: topics.stepRequests, key: runId, value };
  }
}
