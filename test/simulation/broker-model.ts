import type { JsonObject } from '../../shared/engine/json.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import type { Random } from '../support/random.ts';

export interface Message {
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
}

interface Partition {
  readonly topic: string;
  readonly index: number;
  readonly messages: Message[];
  /** Of its one consumer group. */
  committed: number;
}

const PARTITIONS = 3;

/**
 * Topics of keyed partitions with one consumer group each. At least once: a producer that repeats itself appends a record
 * twice, one that is cut off leaves a part of its records, and an offset that was not committed brings its records again.
 */
export class BrokerModel {
  isAway = false;
  /** No more duplicates and half-published batches. */
  isCalm = false;
  /** Sees every message once, as it is appended. */
  onPublished: (message: Message) => void = () => {};
  readonly #random: Random;
  readonly #partitions = new Map<string, Partition[]>();

  constructor(random: Random) {
    this.#random = random;
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

  /** Partitions of these topics that have records which their group has not committed. */
  waiting(topics: readonly string[]): Partition[] {
    if (this.isAway) return [];
    return topics.flatMap((topic) =>
      this.#partitionsOf(topic).filter(({ messages, committed }) => committed < messages.length),
    );
  }

  read({ messages, committed }: Partition, count: number): Message[] {
    return messages.slice(committed, committed + count);
  }

  /** As an event source mapping hands it to a function. */
  eventOf(partition: Partition, messages: readonly Message[]): MskEvent {
    const { topic, index } = partition;
    const records = messages.map(({ key, value }, i) => ({
      topic,
      partition: index,
      offset: partition.committed + i,
      timestamp: 0,
      timestampType: 'CREATE_TIME',
      key: Buffer.from(key).toString('base64'),
      value: Buffer.from(JSON.stringify(value)).toString('base64'),
      headers: [],
    }));
    return { eventSource: 'aws:kafka', records: { [`${topic}-${index}`]: records } };
  }

  commit(partition: Partition, count: number): void {
    partition.committed += count;
  }

  /** A rebalance: a consumer goes back to an offset before those that it had worked off. */
  rewind(topics: readonly string[]): void {
    const partitions = topics
      .flatMap((topic) => this.#partitionsOf(topic))
      .filter(({ committed }) => committed > 0);
    if (partitions.length === 0) return;
    const partition = this.#random.pick(partitions);
    partition.committed -= 1 + this.#random.int(Math.min(partition.committed, 4));
  }

  #append(message: Message): void {
    const partitions = this.#partitionsOf(message.topic);
    partitions[hash(message.key) % partitions.length]?.messages.push(message);
    this.onPublished(message);
  }

  #partitionsOf(topic: string): Partition[] {
    let partitions = this.#partitions.get(topic);
    if (partitions === undefined) {
      partitions = Array.from({ length: PARTITIONS }, (_, index) => ({
        topic,
        index,
        messages: [],
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
