import type { Admin } from 'kafkajs';
import { askAdmin } from './ask-admin.ts';
import type { KafkaOptions } from './client.ts';
import { untilCoordinated } from './until-coordinated.ts';

export interface ConsumerOfTopic {
  readonly groupId: string;
  readonly topic: string;
}

export interface ConsumerLag extends ConsumerOfTopic {
  /** Records that the group has not committed, over all partitions. */
  readonly lag: number;
}

/**
 * How far each group is behind its topic's end. A partition that the group never committed counts from its beginning.
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
        const lag = await untilCoordinated(giveUpAt, () => lagOf(admin, consumer));
        return { ...consumer, lag };
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
