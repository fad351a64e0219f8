import type { Delivery, Publishing } from '../../shared/application/ports/publishing.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import type { Random } from '../support/random.ts';

export interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
}

export interface Partition {
  readonly topic: string;
  readonly index: number;
  readonly messages: Message[];
  /** When each came. */
  readonly sentAt: number[];
  /** Of its one consumer group. */
  committed: number;
}

/** Some records of a partition, from where its group has come to. */
export interface Taken {
  readonly partition: Partition;
  readonly messages: readonly Message[];
}

const PARTITIONS = 3;
/** How long a request is under way at most, for the client that sent it. */
export const CLIENT_MS = 10_000;

/** What becomes of what goes to one topic. */
interface Fate {
  readonly delivery: Delivery;
  readonly arrives: 'now' | 'later' | 'never';
  readonly isToldLate: boolean;
}

const ACKNOWLEDGED: Delivery = { status: 'acknowledged' };
const UNSENT: Delivery = { status: 'unsent', reason: 'Kafka was not reached' };
const UNKNOWN: Delivery = { status: 'unknown', reason: 'Kafka did not answer within 1000 ms' };
const MISSING = 'UNKNOWN_TOPIC_OR_PARTITION';
const refusedWith = (code: string): Delivery => ({
  status: 'refused',
  reason: `Kafka refused: ${code}`,
  code,
  isLasting: code === MISSING,
});

/**
 * Topics of keyed partitions with one consumer group each. At least once: a producer that repeats itself appends a record
 * twice, one that is cut off leaves a part of its records, and an offset that was not committed brings its records again.
 */
export class BrokerModel {
  isAway = false;
  /** No more duplicates and half-published batches. */
  isCalm = false;
  /** Sees every message as it is appended, or lost. */
  onPublished: (message: Message) => void = () => {};
  /** Whether this one is acknowledged and gone: its topic expired before anybody read it. */
  isLost: (message: Message) => boolean = () => false;
  /** Carries something out when time has passed. */
  later: (inMs: number, deliver: () => void) => void = (_inMs, deliver) => deliver();
  /** Topics that are not there. */
  readonly missing = new Set<string>();
  /** Topics whose consumers get nothing. */
  readonly stalled = new Set<string>();
  readonly #random: Random;
  readonly #partitions = new Map<string, Partition[]>();

  readonly #now: () => number;

  constructor(random: Random, now: () => number) {
    this.#random = random;
    this.#now = now;
  }

  /** @throws when the broker is away, at the beginning or on the way. */
  publish(messages: readonly Message[]): void {
    if (this.isAway) throw new Error('Kafka did not answer within 1000 ms');
    const cutOffAt = this.#chance(0.02) ? this.#random.int(messages.length + 1) : Number.POSITIVE_INFINITY;
    messages.forEach((message, i) => {
      if (i >= cutOffAt) throw new Error('Kafka did not answer within 1000 ms');
      this.#append(message);
      if (this.#chance(0.03)) this.#append(message);
    });
  }

  /**
   * As our producer: topics fare each for itself. One may be refused, or not be answered for in time, when its records may be there, may
   * come later, or never; of some the producer hears in the end.
   */
  send(messages: readonly Message[]): Publishing {
    const found = new Map<string, Fate>();
    const fates = messages.map((message) => {
      const fate = found.get(message.topic) ?? this.#drawFate(message.topic);
      found.set(message.topic, fate);
      return fate;
    });
    const carriedOut = messages.filter((_, i) => fates[i]!.arrives === 'now');
    for (const message of carriedOut) this.#append(message);
    if (carriedOut.length > 0 && this.#chance(0.03)) this.#append(this.#random.pick(carriedOut));
    const later = messages.filter((_, i) => fates[i]!.arrives === 'later');
    if (later.length > 0)
      this.later(this.#random.int(CLIENT_MS), () => {
        for (const message of later) this.#append(message);
      });
    const deliveries = fates.map(({ delivery }) => delivery);
    if (!fates.some(({ isToldLate }) => isToldLate)) return { deliveries, late: null };
    const late = Promise.withResolvers<readonly Delivery[]>();
    const inTheEnd = fates.map(({ delivery, isToldLate }) => (isToldLate ? ACKNOWLEDGED : delivery));
    this.later(CLIENT_MS + this.#random.int(60_000), () => late.resolve(inTheEnd));
    return { deliveries, late: late.promise };
  }

  #drawFate(topic: string): Fate {
    if (this.isAway)
      return this.#random.chance(0.5)
        ? { delivery: UNSENT, arrives: 'never', isToldLate: false }
        : { delivery: UNKNOWN, arrives: 'never', isToldLate: false };
    if (this.missing.has(topic))
      return { delivery: refusedWith(MISSING), arrives: 'never', isToldLate: false };
    if (this.#chance(0.02))
      return { delivery: refusedWith('NOT_ENOUGH_REPLICAS'), arrives: 'never', isToldLate: false };
    if (!this.#chance(0.04)) return { delivery: ACKNOWLEDGED, arrives: 'now', isToldLate: false };
    const arrives = this.#random.pick(['now', 'later', 'never'] as const);
    return { delivery: UNKNOWN, arrives, isToldLate: arrives !== 'never' && this.#random.chance(0.5) };
  }

  /** By a producer that dies meanwhile: the first of them, or none. */
  publishSome(messages: readonly Message[]): void {
    if (this.isAway) return;
    for (const message of messages.slice(0, this.#random.int(messages.length + 1))) this.#append(message);
  }

  /** Partitions of these topics that have records which their group has not committed. */
  waiting(topics: readonly string[]): Partition[] {
    if (this.isAway) return [];
    const read = topics.filter((topic) => this.isCalm || !this.stalled.has(topic));
    return read.flatMap((topic) =>
      this.#partitionsOf(topic).filter(({ messages, committed }) => committed < messages.length),
    );
  }

  /** What the group has not read of the partition where the key is, and when that came. */
  unread(topic: string, key: string): { readonly message: Message; readonly sentAt: number }[] {
    const { messages, sentAt, committed } = this.#partitionOf({ topic, key });
    return messages
      .slice(committed)
      .map((message, i) => ({ message, sentAt: sentAt[committed + i] as number }));
  }

  take(partition: Partition, count: number): Taken {
    const { messages, committed } = partition;
    return { partition, messages: messages.slice(committed, committed + count) };
  }

  /** As an event source mapping hands it to a function. */
  eventOf(taken: readonly Taken[]): MskEvent {
    const records = taken.map(({ partition: { topic, index, committed }, messages }) => {
      const ofPartition = messages.map(({ key, value }, i) => ({
        topic,
        partition: index,
        offset: committed + i,
        timestamp: 0,
        timestampType: 'CREATE_TIME',
        key: Buffer.from(key).toString('base64'),
        value: Buffer.from(JSON.stringify(value)).toString('base64'),
        headers: [],
      }));
      return [`${topic}-${index}`, ofPartition] as const;
    });
    return { eventSource: 'aws:kafka', records: Object.fromEntries(records) };
  }

  commit({ partition, messages }: Taken): void {
    partition.committed += messages.length;
  }

  /** A rebalance: a consumer goes back to an offset before those that it had worked off, at most so many. */
  rewind(topics: readonly string[], most: number): void {
    const partitions = topics
      .flatMap((topic) => this.#partitionsOf(topic))
      .filter(({ committed }) => committed > 0);
    if (partitions.length === 0) return;
    const partition = this.#random.pick(partitions);
    partition.committed -= 1 + this.#random.int(Math.min(partition.committed, most));
  }

  #append(message: Message): void {
    if (!this.isLost(message)) {
      const { messages, sentAt } = this.#partitionOf(message);
      messages.push(message);
      sentAt.push(this.#now());
    }
    this.onPublished(message);
  }

  #partitionOf({ topic, key }: Pick<Message, 'topic' | 'key'>): Partition {
    const partitions = this.#partitionsOf(topic);
    return partitions[hash(key) % partitions.length] as Partition;
  }

  #partitionsOf(topic: string): Partition[] {
    let partitions = this.#partitions.get(topic);
    if (partitions === undefined) {
      partitions = Array.from({ length: PARTITIONS }, (_, index) => ({
        topic,
        index,
        messages: [],
        sentAt: [],
        committed: 0,
      }));
      this.#partitions.set(topic, partitions);
    }
    return partitions;
  }

  #chance(probability: number): boolean {
    return !this.isCalm && this.#random.chance(probability);
  }
}

function hash(text: string): number {
  let value = 7;
  for (const character of text) value = (value * 31 + character.charCodeAt(0)) % 1_000_003;
  return value;
}
