import type { Admin } from 'kafkajs';
import { askAdmin } from './ask-admin.ts';
import type { KafkaOptions } from './client.ts';
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
export function readConsumerLag(
  options: KafkaOptions,
  consumers: readonly ConsumerOfTopic[],
  timeoutMs: number,
): Promise<ConsumerLag[]> {
  return askAdmin(options, timeoutMs, (admin, giveUpAt) =>
    Promise.all(
      consumers.map(async (consumer) => {
        const [lag, members] = await untilCoordinated(giveUpAt, () =>
          Promise.all([lagOf(admin, consumer), membersOf(admin, consumer)]),
        );
        return { ...consumer, lag, members };
      }),
    ),
  );
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
