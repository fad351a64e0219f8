import type { Kafka } from 'kafkajs';
import { createKafka, type KafkaOptions } from './client.ts';
import { readToEnd, type Stretch } from './read-to-end.ts';
import { untilCoordinated } from './until-coordinated.ts';

export interface HeldRecord {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface DrainOptions {
  readonly kafka: KafkaOptions;
  readonly from: string;
  /** Remembers how far it has come: what was drained once is not drained again. */
  readonly groupId: string;
  readonly limit: number;
  /** Looks, and remembers nothing. */
  readonly dryRun: boolean;
  /** What to write for a record; null leaves it behind, and it is not seen again. */
  readonly recover: (text: string) => HeldRecord | null;
  /** No record is begun beyond it. */
  readonly timeoutMs?: number;
  /** Where nothing comes for that long, something is wrong. */
  readonly stalledAfterMs?: number;
}

export interface Drained {
  readonly seen: number;
  readonly written: number;
  /** Whether that was all: neither the limit nor the time ended it. */
  readonly complete: boolean;
}

const COORDINATOR_TIMEOUT_MS = 30_000;
const STALLED_AFTER_MS = 60_000;

/**
 * Writes what a topic holds to other topics, up to where it ended when this began. A record counts as drained once what it
 * became is written; where this ends in between, it is written again.
 * @throws ReadStalled naming the place beyond which the topic cannot be read
 */
export async function drainTopic(options: DrainOptions): Promise<Drained> {
  const { from, groupId, limit, dryRun, recover } = options;
  const { timeoutMs = Number.POSITIVE_INFINITY, stalledAfterMs = STALLED_AFTER_MS } = options;
  const giveUpAt = performance.now() + timeoutMs;
  const kafka = createKafka(options.kafka);
  const stretches = (await stretchesOf(kafka, from, groupId)).filter(({ next, end }) => next < end);
  const counts = { seen: 0, written: 0 };
  if (stretches.length === 0) return { ...counts, complete: true };

  const consumer = kafka.consumer({ groupId, sessionTimeout: 30_000, maxWaitTimeInMs: 500 });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  let complete = false;
  try {
    await Promise.all([consumer.connect(), producer.connect()]);
    complete = await readToEnd(consumer, {
      topic: from,
      stretches,
      stalledAfterMs,
      isEnough: () => counts.seen >= limit || performance.now() > giveUpAt,
      async take(value) {
        const recovered = recover(value?.toString() ?? '');
        if (recovered !== null && !dryRun) {
          const { topic, ...message } = recovered;
          await producer.send({ topic, acks: -1, messages: [message] });
        }
        counts.seen++;
        if (recovered !== null) counts.written++;
      },
      async passed({ partition, next }) {
        if (!dryRun) await consumer.commitOffsets([{ topic: from, partition, offset: String(next) }]);
      },
    });
  } finally {
    // What is under way ends before.
    await Promise.allSettled([consumer.disconnect(), producer.disconnect()]);
  }
  return { ...counts, complete };
}

async function stretchesOf(kafka: Kafka, topic: string, groupId: string): Promise<Stretch[]> {
  const admin = kafka.admin();
  await admin.connect();
  const [ends, [group]] = await untilCoordinated(performance.now() + COORDINATOR_TIMEOUT_MS, () =>
    Promise.all([admin.fetchTopicOffsets(topic), admin.fetchOffsets({ groupId, topics: [topic] })]),
  ).finally(() => admin.disconnect());
  const begins = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  return ends.map(({ partition, high, low }) => {
    // -1: the group has never been here. Beyond the end: the topic was made anew.
    const begin = begins.get(partition) ?? -1;
    return {
      partition,
      next: begin > Number(high) ? Number(low) : Math.max(begin, Number(low)),
      end: Number(high),
    };
  });
}
