import { Partitioners } from 'kafkajs';
import { limits } from '../config/limits.ts';
import type { JsonObject } from '../engine/json.ts';
import { createKafka, type KafkaOptions } from './client.ts';

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
}

export interface RecordProducer {
  /**
   * Resolves when all in-sync replicas have the records.
   * @throws PublishError when they have not within `timeoutMs`; some may still arrive.
   */
  publish(records: readonly OutgoingRecord[], options?: { readonly timeoutMs?: number }): Promise<void>;
  /** @throws PublishError when no broker answers within `timeoutMs`. */
  check(timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export class PublishError extends Error {
  readonly code = 'PUBLISH_FAILED';
}

/** Publishing is bounded to about a second (design §3): past that the outbox has it. */
const DEFAULT_TIMEOUT_MS = 1_000;
const MAX_CHUNK_BYTES = limits.maxRecordBytes / 2;

export function createProducer(options: KafkaOptions): RecordProducer {
  const kafka = createKafka(options);
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  const admin = kafka.admin();
  const connection = connectOnce(() => producer.connect());
  const adminConnection = connectOnce(() => admin.connect());
  // With a token a connection takes longer than a first publishing has: it is begun while the function starts.
  if (options.token) connection.ready().catch(() => {});

  return {
    async publish(records, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}) {
      if (records.length === 0) return;
      // What cannot be written is no refusal of Kafka's: it would be none later either.
      const encoded = records.map(encode);
      await within(timeoutMs, async () => {
        await connection.ready();
        for (const chunk of chunksOf(encoded)) {
          await producer.sendBatch({ acks: -1, topicMessages: byTopic(chunk) });
        }
      });
    },
    async check(timeoutMs = DEFAULT_TIMEOUT_MS) {
      await within(timeoutMs, async () => {
        await adminConnection.ready();
        await admin.describeCluster();
      });
    },
    async close() {
      await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
    },
  };
}

interface EncodedRecord {
  readonly topic: string;
  readonly message: { readonly key: string; readonly value: string };
}

function encode({ topic, key, value }: OutgoingRecord): EncodedRecord {
  return { topic, message: { key, value: JSON.stringify(value) } };
}

/**
 * `max.message.bytes` bounds what one request puts into one partition, not one record: what goes together stays below half of
 * it, or is a single record. The order is kept.
 */
function* chunksOf(records: readonly EncodedRecord[]): Generator<EncodedRecord[]> {
  let chunk: EncodedRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    // At most three bytes a character: exact enough for a bound, and cheap.
    const size = record.message.value.length * 3;
    if (bytes + size > MAX_CHUNK_BYTES && chunk.length > 0) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(record);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

function byTopic(records: readonly EncodedRecord[]) {
  const topics = new Map<string, EncodedRecord['message'][]>();
  for (const { topic, message } of records) {
    const messages = topics.get(topic);
    if (messages === undefined) topics.set(topic, [message]);
    else messages.push(message);
  }
  return [...topics].map(([topic, messages]) => ({ topic, messages }));
}

/** Connects at the first use; a connection that could not be made is tried again at the next. */
function connectOnce(connect: () => Promise<void>) {
  let connecting: Promise<void> | null = null;
  return {
    ready(): Promise<void> {
      connecting ??= connect().catch((error) => {
        connecting = null;
        throw error;
      });
      return connecting;
    },
  };
}

async function within(timeoutMs: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new PublishError(`Kafka did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  const working = work();
  // What fails after its time has nobody waiting for it.
  working.catch(() => {});
  try {
    await Promise.race([working, timeout]);
  } catch (error) {
    if (error instanceof PublishError) throw error;
    throw new PublishError(`Kafka refused: ${kindOf(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Kafka's own code where it has one, as `UNKNOWN_TOPIC_OR_PARTITION`, else the error's class. The owner of a run reads why it is
 * not published, and the messages name brokers and roles: they are the cause, for the log.
 */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error.name === 'KafkaJSNumberOfRetriesExceeded' && error.cause !== undefined)
    return kindOf(error.cause);
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}
