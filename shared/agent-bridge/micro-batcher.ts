/**
 * Gathers items that become ready at the same time and hands them on together: the first ones at once, and what comes while
 * those are on their way as the next batch. Nothing waits for a timer, and a slow neighbour holds nothing back.
 */
export class MicroBatcher<Item> {
  readonly #flush: (items: Item[]) => Promise<void>;
  #waiting: Item[] = [];
  #flushing: Promise<void> | null = null;
  #errors: unknown[] = [];

  constructor(flush: (items: Item[]) => Promise<void>) {
    this.#flush = flush;
  }

  add(item: Item): void {
    this.#waiting.push(item);
    this.#flushing ??= this.#run();
  }

  /** Resolves when all that was added is handed on. @throws what the first batch threw that was not; the others were tried too. */
  async drain(): Promise<void> {
    await this.#flushing;
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Answers that arrived in one turn of the event loop are read one after another: take them all.
      await new Promise((resolve) => setImmediate(resolve));
      const items = this.#waiting;
      this.#waiting = [];
      try {
        await this.#flush(items);
      } catch (error) {
        this.#errors.push(error);
      }
    }
    this.#flushing = null;
  }
}
