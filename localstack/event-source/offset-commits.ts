export type CommitOffsets = (offsets: readonly { partition: number; offset: number }[]) => Promise<void>;

const retryAfterMs = 500;

/**
 * Offsets on their way to Kafka: gathered for a moment, sent in one request, never two requests at a time (a late one could
 * put an offset back). One that fails stays and is sent again, unless its partition went to someone else meanwhile.
 */
export class OffsetCommits {
  readonly #delayMs: number;
  readonly #pending = new Map<number, number>();
  #commit: CommitOffsets | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** The way to Kafka, which changes with the consumer. */
  set commit(commit: CommitOffsets) {
    this.#commit = commit;
  }

  add(partition: number, nextOffset: number): void {
    this.#pending.set(partition, nextOffset);
    this.#schedule(this.#delayMs);
  }

  forget(partition: number): void {
    this.#pending.delete(partition);
  }

  /** Sends what is pending now, and once only. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#sending;
    await this.#send();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#sending = this.#sending.then(() => this.#send());
    }, delayMs);
  }

  async #send(): Promise<void> {
    if (this.#commit === undefined || this.#pending.size === 0) return;
    const sent = [...this.#pending];
    try {
      await this.#commit(sent.map(([partition, offset]) => ({ partition, offset })));
      for (const [partition, offset] of sent) {
        if (this.#pending.get(partition) === offset) this.#pending.delete(partition);
      }
    } catch {
      // A rebalance, or a broker that is away: whoever has the partition afterwards commits it.
    }
    if (this.#pending.size > 0) this.#schedule(retryAfterMs);
  }
}
