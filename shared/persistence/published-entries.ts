/** Somebody who saves more often than that takes what is published along. */
const BUSY_MS = 1_500;

/**
 * Rows of the outbox that are published whole. The environment's next save deletes them, so that a decision costs no statement for it
 * (design §3); where none has come for a while, or comes, they are deleted for themselves. One that is left, as by an environment
 * that is frozen and never wakes, is published once more by the timekeeper: a duplicate.
 */
export class PublishedEntries {
  readonly #remove: (ids: readonly string[]) => Promise<unknown>;
  readonly #ids = new Set<string>();
  #savedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;

  constructor(remove: (ids: readonly string[]) => Promise<unknown>) {
    this.#remove = remove;
  }

  async add(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#ids.add(id);
    if (performance.now() - this.#savedAt > BUSY_MS) return this.flush();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.flush().catch(() => {});
    }, BUSY_MS).unref();
  }

  /** With what the work deletes of them. */
  async goWith<T>(work: (ids: readonly string[]) => Promise<T>): Promise<T> {
    this.#savedAt = performance.now();
    return this.#taken(work);
  }

  async flush(): Promise<void> {
    if (this.#ids.size > 0) await this.#taken(this.#remove);
  }

  async #taken<T>(work: (ids: readonly string[]) => Promise<T>): Promise<T> {
    const ids = [...this.#ids];
    this.#ids.clear();
    try {
      return await work(ids);
    } catch (error) {
      for (const id of ids) this.#ids.add(id);
      throw error;
    }
  }
}
