import type { MemoryStore } from '../support/memory-store.ts';
import type { PublishingWatch } from './publishing-watch.ts';

/** So long after, an environment that has not been frozen removes them for themselves. */
const IDLE_MS = 1_000;

export interface RemovalsWorld {
  readonly store: MemoryStore;
  readonly watch: PublishingWatch;
  chance(probability: number): boolean;
  later(inMs: number, deliver: () => Promise<void>): void;
}

/**
 * As persistence/published-entries.ts: what an environment published goes with its next save, or where it is idle and awake. One that
 * is frozen, or dies, leaves it to be published once more.
 */
export class RemovalsModel {
  readonly #world: RemovalsWorld;
  readonly #ids = new Set<string>();

  constructor(world: RemovalsWorld) {
    this.#world = world;
  }

  add(ids: readonly string[]): void {
    for (const id of ids) this.#ids.add(id);
    this.#world.watch.putOff(ids);
    if (!this.#world.chance(0.7)) this.#world.later(IDLE_MS, async () => this.remove());
  }

  remove(): void {
    const ids = [...this.#ids];
    this.#ids.clear();
    this.#world.store.removeOutbox(ids);
    this.#world.watch.removed(ids);
  }

  /** It dies. */
  lose(): void {
    this.#ids.clear();
  }
}
