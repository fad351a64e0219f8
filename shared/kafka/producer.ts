import type { Delivery, Publishing } from '../application/ports/publishing.ts';
import { limits } from '../config/limits.ts';
import type { JsonObject } from '../engine/json.ts';
import { createKafka, type KafkaOptions } from './client.ts';
import { deliveryFaultOf } from './delivery-fault.ts';
import { connectOnce, Lane } from './lane.ts';
import { type Encoded, Sending } from './sending.ts';
import { TopicTrust } from './topic-trust.ts';

export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
}

export interface PublishOptions {
  /** Default: a second. */
  readonly timeoutMs?: number;
}

export interface RecordProducer {
  /**
   * Resolves when Kafka has answered for all, or at the end of the time. Topics do not wait for one another, nor do leaders of a
   * topic's partitions; what is refused for one record's sake is told apart from its neighbours. Never rejects.
   */
  send(records: readonly OutgoingRecord[], options?: PublishOptions): Promise<Publishing>;
  /**
   * Resolves when all in-sync replicas have the records.
   * @throws PublishError when they have not within the time; some may still arrive, and it says which.
   */
  publish(records: readonly OutgoingRecord[], options?: PublishOptions): Promise<void>;
  /** @throws PublishError when no broker answers within `timeoutMs`. */
  check(timeoutMs?: number): Promise<void>;
  close(): Promise<void>;
}

export class PublishError extends Error {
  readonly code = 'PUBLISH_FAILED';
  /** Of each record, in their order. */
  readonly deliveries: readonly Delivery[];

  constructor(message: string, deliveries: readonly Delivery[] = [], options?: ErrorOptions) {
    super(message, options);
    this.deliveries = deliveries;
  }
}

/** Publishing is bounded to about a second (design §3): past that the outbox has it. */
const DEFAULT_TIMEOUT_MS = 1_000;

/** @param ownTopics those of the deployment, which are there. All others, as agents' own, are looked for first. */
export function createProducer(options: KafkaOptions, ownTopics: Iterable<string> = []): RecordProducer {
  const kafka = createKafka(options);
  const admin = kafka.admin();
  const adminReady = connectOnce(() => admin.connect());
  const own = new Set(ownTopics);
  const lanes = { own: new Lane(kafka), others: new Lane(kafka) };
  const trust = new TopicTrust(
    async (topic) => {
      await adminReady();
      await admin.fetchTopicMetadata({ topics: [topic] });
    },
    (topic) => own.has(topic),
    () => performance.now(),
  );
  // With a token a connection takes longer than a first publishing has: it is begun while the function starts.
  if (options.token) lanes.own.ready().catch(() => {});

  const send: RecordProducer['send'] = (records, { timeoutMs = DEFAULT_TIMEOUT_MS } = {}) =>
    new Sending({
      records: records.map(encode),
      trust,
      laneOf: (topic) => (own.has(topic) ? lanes.own : lanes.others),
      isOwn: (topic) => own.has(topic),
      timeoutMs,
      maxChunkBytes: limits.maxRecordBytes / 2,
    }).result();

  return {
    send,
    async publish(records, publishOptions) {
      const { deliveries } = await send(records, publishOptions);
      for (const delivery of deliveries) {
        if (delivery.status === 'acknowledged') continue;
        throw new PublishError(delivery.reason, deliveries, { cause: delivery.cause });
      }
    },
    async check(timeoutMs = DEFAULT_TIMEOUT_MS) {
      await answerWithin(timeoutMs, async () => {
        await adminReady();
        await admin.describeCluster();
      });
    },
    async close() {
      await Promise.allSettled([lanes.own.close(), lanes.others.close(), admin.disconnect()]);
    },
  };
}

function encode({ topic, key, value }: OutgoingRecord): Encoded {
  return { topic, message: { key, value: JSON.stringify(value) } };
}

async function answerWithin(timeoutMs: number, work: () => Promise<void>): Promise<void> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new PublishError(`Kafka did not answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const working = work();
  // What fails after its time has nobody waiting for it.
  working.catch(() => {});
  try {
    await Promise.race([working, timeout.promise]);
  } catch (error) {
    if (error instanceof PublishError) throw error;
    throw new PublishError(`Kafka was not reached: ${deliveryFaultOf(error).code}`, [], { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
