import type { Admin } from 'kafkajs';
import { createKafka, type KafkaOptions } from './client.ts';
import { untilCoordinated } from './until-coordinated.ts';

export interface ConsumerOfTopic {
  readonly groupId: string;
  readonly topic: string;
}

export interface ConsumerLag extends ConsumerOfTopic {
  /**
   * Offsets that the group has not committed, over all partitions: records, and the markers of transactions behind them, until
   * the next record is read. The local stack commits beyond markers; what Lambda's pollers do is not told.
   */
  readonly lag: number;
  /** Consumers that are in the group now. */
  readonly members: number;
}

/**
 * How far each group is behind its topic's end, and who reads in it. A partition that the group never committed counts from its beginning.
 * @throws when the cluster has not answered within `timeoutMs`
 */
export async function readConsumerLag(
  options: KafkaOptions,
  consumers: readonly ConsumerOfTopic[],
  timeoutMs: number,
): Promise<ConsumerLag[]> {
  const admin = createKafka(options).admin();
  const giveUpAt = performance.now() + timeoutMs;
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new Error(`Kafka did not tell its offsets within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const read = (async () => {
    await admin.connect();
    return Promise.all(
      consumers.map(async (consumer) => {
        const [lag, members] = await untilCoordinated(giveUpAt, () =>
          Promise.all([lagOf(admin, consumer), membersOf(admin, consumer)]),
        );
        return { ...consumer, lag, members };
      }),
    );
  })();
  // What fails after its time has nobody waiting for it.
  read.catch(() => {});
  try {
    return await Promise.race([read, timeout.promise]);
  } finally {
    clearTimeout(timer);
    // Not waited for either: a broker that is away does not say goodbye.
    admin.disconnect().catch(() => {});
  }
}

async function lagOf(admin: Admin, { groupId, topic }: ConsumerOfTopic): Promise<number> {
  const [ends, [committed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const committedOf = new Map(committed?.partitions.map(({ partition, offset }) => [partition, offset]));
  return ends.reduce((sum, { partition, high, low }) => {
    // -1 where there is none; below `low` where the topic has dropped what was not read in time.
    const read = Math.max(Number(committedOf.get(partition) ?? -1), Number(low));
    return sum + Math.max(0, Number(high) - read);
  }, 0);
}

async function membersOf(admin: Admin, { groupId }: ConsumerOfTopic): Promise<number> {
  const { groups } = await admin.describeGroups([groupId]);
  return groups[0]?.members.length ?? 0;
}
