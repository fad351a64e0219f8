import { createKafka, type KafkaOptions } from './client.ts';

/** How many records each topic holds. Transactions' markers count too, which ours have none of. */
export async function countRecords(
  options: KafkaOptions,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const admin = createKafka(options).admin();
  await admin.connect();
  try {
    const counts = await Promise.all(
      topics.map(async (topic) => {
        const partitions = await admin.fetchTopicOffsets(topic);
        const held = partitions.map(({ high, low }) => Number(high) - Number(low));
        return [topic, held.reduce((sum, count) => sum + count, 0)] as const;
      }),
    );
    return new Map(counts);
  } finally {
    await admin.disconnect();
  }
}
