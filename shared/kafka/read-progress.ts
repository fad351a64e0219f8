import type { Admin } from 'kafkajs';
import { askAdmin } from './ask-admin.ts';
import type { KafkaOptions } from './client.ts';
import type { ConsumerOfTopic } from './consumer-lag.ts';
import { partitionOf } from './partition-of.ts';
import { untilCoordinated } from './until-coordinated.ts';

/**
 * Until when a topic is read, where records of that key are: all that was published before is read, and what was published at or after
 * it may wait still. Epoch milliseconds: when it was asked, where nothing waited then; negative infinity where all may wait. A topic that
 * was not asked about counts as read, to infinity.
 */
export type ReadUntil = (topic: string, key: string) => number;

/** How long ago the times are that are asked about: the next one is twice as long ago, up to about an hour. */
const FIRST_AGO_MS = 15_000;
const TIMES = 9;
/** The last offset of a partition may be a transaction's marker, which no consumer ever reads. */
const MARKER = 1;

/**
 * How far each group has come in its topic, in time.
 * @param now epoch milliseconds
 * @throws when the cluster has not answered within `timeoutMs`
 */
export async function readProgress(
  options: KafkaOptions,
  consumers: readonly ConsumerOfTopic[],
  now: number,
  timeoutMs: number,
): Promise<ReadUntil> {
  const times = Array.from({ length: TIMES }, (_, i) => now - FIRST_AGO_MS * 2 ** i);
  const found = await askAdmin(options, timeoutMs, (admin, giveUpAt) =>
    Promise.all(
      consumers.map(async (consumer) => {
        const until = await untilCoordinated(giveUpAt, () => untilOf(admin, consumer, now, times));
        return [consumer.topic, until] as const;
      }),
    ),
  );
  const untilOfTopic = new Map(found);
  return (topic, key) => {
    const until = untilOfTopic.get(topic);
    if (until === undefined) return Number.POSITIVE_INFINITY;
    return until[partitionOf(key, until.length)] as number;
  };
}

/** By partition. */
async function untilOf(
  admin: Admin,
  { groupId, topic }: ConsumerOfTopic,
  now: number,
  times: readonly number[],
): Promise<number[]> {
  const [ends, [committed]] = await Promise.all([
    admin.fetchTopicOffsets(topic),
    admin.fetchOffsets({ groupId, topics: [topic] }),
  ]);
  const read = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
  const partitions = ends.map(({ partition, high, low }) => ({
    partition,
    // -1 where there is none; below `low` where the topic has dropped what was not read in time.
    read: Math.max(read.get(partition) ?? -1, Number(low)),
    high: Number(high),
  }));
  const until: number[] = [];
  const behind = partitions.filter(({ read, high }) => read < high - MARKER);
  for (const { partition } of partitions) until[partition] = now;
  for (const { partition } of behind) until[partition] = Number.NEGATIVE_INFINITY;
  if (behind.length === 0) return until;
  // Of each time, the first record that is not older; the latest of them whose record the group has come to.
  const firstOf = await Promise.all(times.map((time) => admin.fetchTopicOffsetsByTimestamp(topic, time)));
  for (const { partition, read } of behind) {
    const come = times.find((_, i) => {
      const first = firstOf[i]?.find((each) => each.partition === partition);
      return first !== undefined && Number(first.offset) <= read;
    });
    if (come !== undefined) until[partition] = come;
  }
  return until;
}
