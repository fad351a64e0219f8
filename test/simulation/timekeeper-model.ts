import { publishClaimed } from '../../shared/application/publish-claimed.ts';
import type { ClaimedEntry } from '../../shared/application/publishing-record.ts';
import { createRouteTasks, type RouteTasks } from '../../shared/application/route-tasks.ts';
import { isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { OutboxRow } from '../support/memory-tables.ts';
import type { BrokerModel, Message } from './broker-model.ts';
import type { PublishingWatch } from './publishing-watch.ts';
import type { RegistryModel } from './registry-model.ts';
import { topics } from './topics.ts';

const LEASE_MS = 60_000;
const LEFT_BEHIND_MS = 4_000;

export interface TimekeepersWorld {
  readonly store: MemoryStore;
  readonly broker: BrokerModel;
  readonly registry: RegistryModel;
  readonly watch: PublishingWatch;
  readonly now: number;
  chance(probability: number): boolean;
}

/** When the timekeeper looks at it. */
export function isLeftBehindAt({ createdAt, retryAt }: OutboxRow): number {
  return Math.max(createdAt + LEFT_BEHIND_MS + 1, retryAt ?? 0);
}

/** As functions/timekeeper: it pushes the times of rows on, and waits for no run's lock. */
export class TimekeeperModel {
  readonly #world: TimekeepersWorld;
  readonly #routeTasks: RouteTasks;

  constructor(world: TimekeepersWorld) {
    this.#world = world;
    this.#routeTasks = createRouteTasks({ registry: world.registry.seenByOne(), topics });
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
    const { store, now } = this.#world;
    const left = [...store.outbox.values()].filter((row) => isLeftBehindAt(row) <= now);
    if (left.length === 0) return false;
    for (const row of left) store.outbox.set(row.entry.id, { ...row, retryAt: now + LEASE_MS });
    const entries = left.map(
      ({ entry, createdAt, published = null, refusedSince = null }): ClaimedEntry => ({
        ...entry,
        published,
        ageMs: now - createdAt,
        refusedForMs: refusedSince === null ? null : now - refusedSince,
      }),
    );
    try {
      const { unsent } = await this.#publish(entries);
      for (const id of unsent) {
        const row = store.outbox.get(id);
        if (row) store.outbox.set(id, { ...row, retryAt: null });
      }
    } catch {
      // The database went away before what was sent was noted.
    }
    return true;
  }

  #publish(entries: readonly ClaimedEntry[]) {
    const { store, watch, chance } = { ...this.#world, chance: () => this.#world.chance(0.05) };
    const attemptOf = (id: string) => store.attempts.get(id)?.attempt;
    const isClosed = ({ value }: Pick<Message, 'value'>) =>
      value.message_type === 'agent_task' && !isOpenAttempt(attemptOf(`${value.step_execution_id}`)!);
    for (const message of entries.flatMap(({ messages }) => messages))
      if (isClosed(message)) watch.excuse(message);
    return watch.during(entries, (publisher) =>
      publishClaimed(
        {
          publisher: {
            send: (messages) => {
              const [closed] = messages.filter(isClosed);
              if (closed) watch.fail(`A task of a closed attempt is published: ${closed.key}`);
              return publisher.send(messages);
            },
          },
          outbox: {
            remove: async (ids) => {
              if (chance()) throw new Error('Away');
              store.removeOutbox(ids);
            },
            settle: async (settlements) => {
              if (chance()) throw new Error('Away');
              store.settleOutbox(settlements);
            },
          },
          routeTasks: this.#routeTasks,
          topics,
          clock: { now: () => this.#world.now },
          loadVersions: async () => store.versions,
          loadAgentRoutes: async (names) => store.routesOf(names),
          findOpenAttempts: async (ids) =>
            new Set(ids.filter((id) => store.attempts.has(id) && isOpenAttempt(attemptOf(id)!))),
          noteOnAttempts: async () => {},
        },
        entries,
      ),
    );
  }

  #wake(runId: string, stepExecutionId: string | null): Message {
    const timestamp = new Date(this.#world.now).toISOString();
    const value = { message_type: 'wake', run_id: runId, step_execution_id: stepExecutionId, timestamp };
    return { topic: topics.stepRequests, key: runId, value };
  }
}
