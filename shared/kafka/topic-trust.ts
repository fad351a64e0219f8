import { LRUCache } from 'lru-cache';
import { deliveryFaultOf } from './delivery-fault.ts';

/** Kafka refuses a topic: it is not there, or may not be written to. */
export class TopicRefusedError extends Error {
  readonly code: string;

  constructor(code: string, options?: ErrorOptions) {
    super(`Kafka refuses the topic: ${code}`, options);
    this.code = code;
  }
}

interface Doubts {
  /** Null: nothing is known, Kafka is to be asked. */
  readonly code: string | null;
  /** Until then it is not asked again. */
  readonly until: number;
  readonly intervalMs: number;
}

/** The first time, and twice as long each time that it is refused again. */
const FIRST_INTERVAL_MS = 500;
/** A topic that was made is found so soon. */
const LONGEST_INTERVAL_MS = 10_000;
/** What has not gone well is looked at more closely for so long. */
const TROUBLED_FOR_MS = 30_000;
/** Names come from outside. */
const MAX_KEPT = 1_000;

/**
 * What one producer knows of topics. The client asks for the metadata of all that it has written to at once, under a lock, and fails
 * and repeats the whole for one that is not there (measured: 1.1 s for each publishing to a missing topic): so no topic is handed to
 * it before Kafka was asked whether it is there, which takes 2 ms, and the answer is kept for a while.
 */
export class TopicTrust {
  readonly #ask: (topic: string) => Promise<unknown>;
  readonly #clock: () => number;
  readonly #isOwn: (topic: string) => boolean;
  readonly #trusted = new LRUCache<string, true>({ max: MAX_KEPT });
  readonly #doubts = new LRUCache<string, Doubts>({ max: MAX_KEPT });
  readonly #asked = new Map<string, Promise<void>>();
  readonly #troubledUntil = new LRUCache<string, number>({ max: MAX_KEPT });

  /** @param isOwn topics that the deployment made: there, as long as nothing says otherwise. @param clock milliseconds since whenever */
  constructor(
    ask: (topic: string) => Promise<unknown>,
    isOwn: (topic: string) => boolean,
    clock: () => number,
  ) {
    this.#ask = ask;
    this.#isOwn = isOwn;
    this.#clock = clock;
  }

  /** @throws TopicRefusedError, or what kept Kafka from being asked */
  async confirm(topic: string): Promise<void> {
    const doubts = this.#doubts.get(topic);
    if (this.#trusted.has(topic) || (doubts === undefined && this.#isOwn(topic))) return;
    if (doubts && doubts.code !== null && doubts.until > this.#clock())
      throw new TopicRefusedError(doubts.code);
    let asked = this.#asked.get(topic);
    if (asked === undefined) {
      asked = this.#find(topic).finally(() => this.#asked.delete(topic));
      this.#asked.set(topic, asked);
    }
    await asked;
  }

  /** The client could not find it, or one of those that it looked for beside it. */
  doubt(topic: string): void {
    this.#trusted.delete(topic);
    this.#doubts.set(topic, { code: null, until: 0, intervalMs: this.#doubts.get(topic)?.intervalMs ?? 0 });
  }

  /** Of another's topic it is not heard again for a while. */
  refuse(topic: string, code: string): void {
    const before = this.#doubts.get(topic)?.intervalMs ?? 0;
    const intervalMs = Math.min(2 * before || FIRST_INTERVAL_MS, LONGEST_INTERVAL_MS);
    this.#trusted.delete(topic);
    const until = this.#isOwn(topic) ? 0 : this.#clock() + intervalMs;
    this.#doubts.set(topic, { code, until, intervalMs });
  }

  /** Something went well there. */
  trust(topic: string): void {
    this.#trusted.set(topic, true);
    this.#doubts.delete(topic);
    this.#troubledUntil.delete(topic);
  }

  /** Something did not go well there. */
  trouble(topic: string): void {
    this.#troubledUntil.set(topic, this.#clock() + TROUBLED_FOR_MS);
  }

  isTroubled(topic: string): boolean {
    const until = this.#troubledUntil.get(topic);
    return until !== undefined && until > this.#clock();
  }

  async #find(topic: string): Promise<void> {
    try {
      await this.#ask(topic);
      this.#trusted.set(topic, true);
    } catch (error) {
      const { status, about, code } = deliveryFaultOf(error);
      if (status !== 'refused' || about !== 'topic') throw error;
      this.refuse(topic, code);
      throw new TopicRefusedError(code, { cause: error });
    }
  }
}
