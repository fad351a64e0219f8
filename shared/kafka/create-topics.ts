import { limits } from '../config/limits.ts';
import type { Topics } from '../config/topics.ts';
import { createKafka, type KafkaOptions } from './client.ts';

export interface TopicLayout {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Creates the topics that are missing; those that are there stay as they are. */
export async function createTopics(
  options: KafkaOptions,
  topics: Topics | readonly string[],
  layout: TopicLayout,
): Promise<void> {
  const names = Array.isArray(topics) ? [...topics] : (Object.values(topics) as string[]);
  const admin = createKafka(options).admin({ retry: { retries: 10, initialRetryTime: 100 } });
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = names.filter((name) => !existing.has(name));
    if (missing.length === 0) return;
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: layout.partitions,
        replicationFactor: layout.replicationFactor,
        configEntries: [{ name: 'max.message.bytes', value: String(limits.maxRecordBytes) }],
      })),
    });
  } finally {
    await admin.disconnect();
  }
}
