import { createKafka, type KafkaOptions } from './client.ts';
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
}

const COORDINATOR_TIMEOUT_MS = 30_000;

/**
 * Writes what a topic holds to other topics, up to where it ended when this began. A record counts as drained once what it
 * became is written; where this ends in between, it is written again.
 * @returns how many were looked at, and how many written
 */
export async function drainTopic(options: DrainOptions): Promise<{ seen: number; written: number }> {
  const kafka = createKafka(options.kafka);
  const admin = kafka.admin();
  await admin.connect();
  const [ends, [group]] = await untilCoordinated(performance.now() + COORDINATOR_TIMEOUT_MS, () =>
    Promise.all([
      admin.fetchTopicOffsets(options.from),
      admin.fetchOffsets({ groupId: options.groupId, topics: [options.from] }),
    ]),
  ).finally(() => admin.disconnect());
  const begins = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  // -1: the group has never been here.
  const left = ends.map(({ partition, high, low }) => ({
    partition,
    from: Math.max(begins.get(partition) ?? -1, Number(low)),
    end: Number(high),
  }));
  const open = new Set(left.filter(({ from, end }) => from < end).map(({ partition }) => partition));
  const counts = { seen: 0, written: 0 };
  if (open.size === 0) return counts;

  const consumer = kafka.consumer({ groupId: options.groupId, sessionTimeout: 30_000 });
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  const done = Promise.withResolvers<void>();
  const closed = (partition: number) => {
    open.delete(partition);
    if (open.size === 0) done.resolve();
  };
  try {
    await Promise.all([consumer.connect(), producer.connect()]);
    await consumer.subscribe({ topics: [options.from], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (counts.seen >= options.limit) return done.resolve();
        const here = left.find((each) => each.partition === partition);
        // It came meanwhile, may be from what this wrote; other partitions are not at their ends for that.
        if (here === undefined || Number(message.offset) >= here.end) return closed(partition);
        try {
          counts.seen++;
          const recovered = options.recover(message.value?.toString() ?? '');
          if (recovered !== null) {
            const { topic, key, value } = recovered;
            if (!options.dryRun) await producer.send({ topic, acks: -1, messages: [{ key, value }] });
            counts.written++;
          }
          const next = String(Number(message.offset) + 1);
          if (!options.dryRun)
            await consumer.commitOffsets([{ topic: options.from, partition, offset: next }]);
          if (Number(next) >= here.end) closed(partition);
          if (counts.seen >= options.limit) done.resolve();
        } catch (error) {
          done.reject(error);
          throw error;
        }
      },
    });
    for (const { partition, from } of left) {
      if (open.has(partition)) consumer.seek({ topic: options.from, partition, offset: String(from) });
    }
    await done.promise;
    return counts;
  } finally {
    await Promise.allSettled([consumer.disconnect(), producer.disconnect()]);
  }
}
