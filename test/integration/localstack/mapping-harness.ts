import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, Kafka, type KafkaJSError, logLevel, type Message, type Producer } from 'kafkajs';
import { EventSourceMapping } from '../../../localstack/event-source/event-source-mapping.ts';
import type { EventRecord, KafkaEvent } from '../../../localstack/event-source/kafka-event.ts';
import type { MappingSettings, MappingTuning } from '../../../localstack/event-source/mapping-settings.ts';
import { inProcessFunction } from '../../../localstack/in-process-function.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';

export type RecordsHandler = (records: EventRecord[], event: KafkaEvent) => unknown;

/** A broker's client with topics and mappings of one test file, all of which end with `close`. */
export class MappingHarness {
  readonly kafka: Kafka;
  readonly admin: Admin;
  readonly #brokers: string;
  readonly #prefix: string;
  readonly #producer: Producer;
  readonly #mappings = new Set<EventSourceMapping>();
  #topics = 0;

  private constructor(brokers: string, prefix: string) {
    this.#brokers = brokers;
    this.#prefix = prefix;
    const retry = { initialRetryTime: 50, retries: 20 };
    this.kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry });
    this.admin = this.kafka.admin();
    this.#producer = this.kafka.producer();
  }

  static async open(brokers: string, prefix: string): Promise<MappingHarness> {
    const harness = new MappingHarness(brokers, prefix);
    await Promise.all([harness.admin.connect(), harness.#producer.connect()]);
    return harness;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#mappings].map((mapping) => mapping.stop(500)));
    await Promise.all([this.admin.disconnect(), this.#producer.disconnect()]);
  }

  async createTopic(numPartitions = 1): Promise<string> {
    const topic = `${this.#prefix}.${++this.#topics}`;
    const layout = { partitions: numPartitions, replicationFactor: 1 };
    await createTopics({ brokers: [this.#brokers], clientId: 'test' }, [topic], layout);
    return topic;
  }

  async produce(topic: string, messages: Message[]): Promise<void> {
    await this.#producer.send({ topic, messages });
  }

  async produceValues(topic: string, values: readonly string[], partition = 0): Promise<void> {
    await this.produce(
      topic,
      values.map((value) => ({ value, partition })),
    );
  }

  mapping(
    topic: string,
    handler: RecordsHandler,
    settings: Partial<MappingSettings> = {},
    {
      timeoutMs = 10_000,
      log,
      ...tuning
    }: MappingTuning & { timeoutMs?: number; log?: (line: string) => void } = {},
  ): EventSourceMapping {
    const mapping = new EventSourceMapping({
      brokers: [this.#brokers],
      ...(log && { log }),
      settings: {
        topic,
        functionName: 'fixture',
        consumerGroupId: `${topic}.group`,
        batchSize: 100,
        ...settings,
      },
      tuning: { retryBackoffMs: { first: 10, longest: 50 }, ...tuning },
      invoker: inProcessFunction({
        functionName: 'fixture',
        timeoutMs,
        createHandler: () => (event: KafkaEvent) => handler(Object.values(event.records).flat(), event),
      }),
    });
    this.#mappings.add(mapping);
    return mapping;
  }

  /** Nothing while a broker that has just started does not know it yet. */
  async committed(topic: string): Promise<Record<number, number>> {
    const [offsets] = await this.admin
      .fetchOffsets({ groupId: `${topic}.group`, topics: [topic] })
      .catch((error: Partial<KafkaJSError>) => {
        if (error.retriable) return [];
        throw error;
      });
    return Object.fromEntries(
      (offsets?.partitions ?? []).map((entry) => [entry.partition, Number(entry.offset)]),
    );
  }

  /** The values of a topic's records, as JSON, once there are `count`. */
  async readJson(topic: string, count: number): Promise<{ key: string | null; value: unknown }[]> {
    const read: { key: string | null; value: unknown }[] = [];
    const mapping = this.mapping(topic, (records) => {
      for (const record of records)
        read.push({ key: record.key ? text(record.key) : null, value: JSON.parse(textOf(record)) });
    });
    await mapping.start();
    await until(() => read.length >= count);
    await mapping.stop();
    return read;
  }
}

export function textOf(record: EventRecord): string {
  return text(record.value ?? '');
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

/** Waits for what must come to pass, without a guess at how long it takes. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const giveUpAt = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${condition}`);
    await sleep(5);
  }
}
