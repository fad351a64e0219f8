/** Whoever saves as often takes what is published along. */
const BUSY_MS = 3_000;
/** Before the timekeeper looks. */
const WAIT_MS = 2_500;
/** Whoever saves as often in that time is busy enough not to save more for what is published. */
const MANY_SAVES = 20;

/**
 * Rows of the outbox that are published whole. The environment's next save deletes them, so that a decision costs no statement for it
 * (design §3). An environment that saves seldom may be frozen until the timekeeper looks, and has no next save to wait for: it deletes
 * them at once, or where a run's way through it ends. What is left all the same, as the last of a busy time, is published once more by
 * the timekeeper: a duplicate.
 */
export class PublishedEntries {
  readonly #remove: (ids: readonly string[]) => Promise<unknown>;
  readonly #ids = new Set<string>();
  /** The last ones, the oldest first. */
  #savedAt: number[] = [];
  #isBusy = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(remove: (ids: readonly string[]) => Promise<unknown>) {
    this.#remove = remove;
  }

  async add(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#ids.add(id);
    if (!this.#isBusy) return this.flush();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.flush().catch(() => {});
    }, WAIT_MS).unref();
  }

  /** With what the work deletes of them. */
  async goWith<T>(work: (ids: readonly string[]) => Promise<T>): Promise<T> {
    const now = performance.now();
    this.#isBusy = now - (this.#savedAt.at(-1) ?? Number.NEGATIVE_INFINITY) < BUSY_MS;
    this.#savedAt = [...this.#savedAt.slice(1 - MANY_SAVES), now];
    return this.#taken(work);
  }

  /** Nothing is known to follow: the environment may be frozen for long. A failure costs a duplicate. */
  async rest(): Promise<void> {
    const [oldest = Number.NEGATIVE_INFINITY] = this.#savedAt;
    const savesOften = this.#savedAt.length === MANY_SAVES && performance.now() - oldest < BUSY_MS;
    if (!savesOften) await this.flush().catch(() => {});
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
