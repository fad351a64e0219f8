import type { Kafka, PartitionMetadata, Producer, TopicMessages } from 'kafkajs';
import { deliveryFaultOf } from './delivery-fault.ts';
import { partitionOf } from './partition-of.ts';

/** A renewed client's predecessor may still wait for answers: longer than a request's time. */
const OLD_CLIENT_MS = 15_000;
/** How long a broker waits for its replicas. */
const REPLICAS_MS = 9_000;

/**
 * One producer of the client, for topics of one kind. It asks for the metadata of all topics that it ever wrote to, and fails for all
 * where one has gone: it is made anew then, and knows of none.
 *
 * It is not idempotent: the client takes a sequence number back when a request fails, also one that the broker has carried out, and gives
 * it to the next records, which the broker may then take for a repeat: it acknowledges them and drops them.
 */
export class Lane {
  readonly #kafka: Kafka;
  readonly #partitions = new Map<string, PartitionMetadata[]>();
  #client: Client;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
    this.#client = this.#newClient();
  }

  ready(): Promise<void> {
    return this.#client.ready();
  }

  /** Null: its topic's partitions are not known yet. */
  maybeFindPartition(
    topic: string,
    key: string,
  ): { readonly partition: number; readonly leader: number } | null {
    const partitionMetadata = this.#partitions.get(topic) ?? [];
    if (partitionMetadata.length === 0) return null;
    const partition = partitionOf(key, partitionMetadata.length);
    const leader = partitionMetadata.find(({ partitionId }) => partitionId === partition)?.leader;
    return leader === undefined ? null : { partition, leader };
  }

  /** Once: what failed is the caller's to try again. @throws what `deliveryFaultOf` reads */
  async send(topicMessages: TopicMessages[]): Promise<void> {
    const client = this.#client;
    try {
      await client.producer.sendBatch({
        acks: -1,
        timeout: REPLICAS_MS,
        topicMessages,
      });
    } catch (error) {
      if (deliveryFaultOf(error).about === 'topic' && client === this.#client) {
        this.#client = this.#newClient();
        setTimeout(() => void client.producer.disconnect().catch(() => {}), OLD_CLIENT_MS).unref();
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#client.producer.disconnect();
  }

  #newClient(): Client {
    const producer = this.#kafka.producer({
      createPartitioner:
        () =>
        ({ topic, partitionMetadata, message: { key, partition } }) => {
          const isKnown = this.#partitions.get(topic)?.length === partitionMetadata.length;
          this.#partitions.set(topic, partitionMetadata);
          return isKnown && partition !== undefined
            ? partition
            : partitionOf(String(key), partitionMetadata.length);
        },
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
    });
    return { producer, ready: connectOnce(() => producer.connect()) };
  }
}

interface Client {
  readonly producer: Producer;
  readonly ready: () => Promise<void>;
}

/** Connects at the first use; a connection that could not be made is tried again at the next. */
export function connectOnce(connect: () => Promise<void>): () => Promise<void> {
  let connecting: Promise<void> | null = null;
  return () => {
    connecting ??= connect().catch((error) => {
      connecting = null;
      throw error;
    });
    return connecting;
  };
}
