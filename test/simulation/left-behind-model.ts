import { LEASE_MS } from '../../functions/timekeeper/lease.ts';
import type { MessagePublisher } from '../../shared/application/ports.ts';
import { publishClaimed } from '../../shared/application/publish-claimed.ts';
import type { ClaimedEntry } from '../../shared/application/publishing-record.ts';
import { createRouteTasks, type RouteTasks } from '../../shared/application/route-tasks.ts';
import { isOpenAttempt } from '../../shared/engine/state.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { OutboxRow } from '../support/memory-tables.ts';
import type { Message } from './broker-model.ts';
import type { PublishingWatch } from './publishing-watch.ts';
import type { RegistryModel } from './registry-model.ts';
import { topics } from './topics.ts';

const LEFT_BEHIND_MS = 4_000;

export interface LeftBehindWorld {
  readonly store: MemoryStore;
  readonly registry: RegistryModel;
  readonly watch: PublishingWatch;
  readonly now: number;
  chance(probability: number): boolean;
  /** As functions publish: with the times of agents that have no bridge. */
  keepingClocks(publisher: MessagePublisher): MessagePublisher;
}

/** When the timekeeper looks at it. */
export function isLeftBehindAt({ createdAt, retryAt }: OutboxRow): number {
  return Math.max(createdAt + LEFT_BEHIND_MS + 1, retryAt ?? 0);
}

/** What functions/timekeeper does with the outbox, over a model of its tables. */
export class LeftBehindModel {
  readonly #world: LeftBehindWorld;
  readonly #routeTasks: RouteTasks;

  constructor(world: LeftBehindWorld) {
    this.#world = world;
    this.#routeTasks = createRouteTasks({ registry: world.registry.seenByOne(), topics });
  }

  /** @returns whether anything was left behind */
  async publish(): Promise<boolean> {
    const { store } = this.#world;
    const entries = this.#claim();
    if (entries.length === 0) return false;
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

  #claim(): ClaimedEntry[] {
    const { store, now } = this.#world;
    const left = [...store.outbox.values()].filter((row) => isLeftBehindAt(row) <= now);
    for (const row of left) store.outbox.set(row.entry.id, { ...row, retryAt: now + LEASE_MS });
    return left.map(({ entry, createdAt, published = null, refusedSince = null }) => ({
      ...entry,
      published,
      ageMs: now - createdAt,
      refusedForMs: refusedSince === null ? null : now - refusedSince,
    }));
  }

  #publish(entries: readonly ClaimedEntry[]) {
    const world = this.#world;
    const { store, watch } = world;
    const isOpen = (id: string) => {
      const row = store.attempts.get(id);
      return row !== undefined && isOpenAttempt(row.attempt);
    };
    const isClosed = ({ value }: Pick<Message, 'value'>) =>
      value.message_type === 'agent_task' && !isOpen(`${value.step_execution_id}`);
    for (const message of entries.flatMap(({ messages }) => messages))
      if (isClosed(message)) watch.excuse(message);
    const noting = (note: () => void) => {
      if (world.chance(0.05)) throw new Error('The database is away');
      note();
    };
    return watch.during(entries, (watched) =>
      publishClaimed(
        {
          publisher: world.keepingClocks({
            send: (messages) => {
              const [closed] = messages.filter(isClosed);
              if (closed) watch.fail(`A task of a closed attempt is published: ${closed.key}`);
              return watched.send(messages);
            },
          }),
          outbox: {
            remove: async (ids) => noting(() => store.removeOutbox(ids)),
            settle: async (settlements) => noting(() => store.settleOutbox(settlements)),
          },
          routeTasks: this.#routeTasks,
          topics,
          clock: { now: () => world.now },
          loadVersions: async () => store.versions,
          loadAgentRoutes: async (names) => store.routesOf(names),
          findOpenAttempts: async (ids) => new Set(ids.filter(isOpen)),
          noteOnAttempts: async () => {},
        },
        entries,
      ),
    );
  }
}
