import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { limits } from '../config/limits.ts';
import { retentionMs } from '../config/topic-layout.ts';
import type { TopicName, Topics } from '../config/topics.ts';
import { createKafka, type KafkaOptions } from './client.ts';

export interface TopicLayout {
  readonly partitions: number;
  readonly replicationFactor: number;
}

const TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 50;

/**
 * Creates the topics that are missing; those that are there stay as they are. Resolves when they can be used.
 * @throws when the cluster has not given each partition a leader within half a minute.
 */
export async function createTopics(
  options: KafkaOptions,
  topics: Topics | readonly string[],
  layout: TopicLayout,
): Promise<void> {
  const retentions = Array.isArray(topics)
    ? new Map(topics.map((name) => [name, null]))
    : retentionsOf(topics as Topics);
  const names = [...retentions.keys()];
  const admin = createKafka(options).admin({ retry: { retries: 10, initialRetryTime: 100 } });
  await admin.connect();
  try {
    const existing = new Set(await admin.listTopics());
    const missing = names.filter((name) => !existing.has(name));
    if (missing.length === 0) return;
    await admin.createTopics({
      // kafkajs gives up at the first broker that has not heard of a topic yet; a busy one takes a moment.
      waitForLeaders: false,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: layout.partitions,
        replicationFactor: layout.replicationFactor,
        configEntries: configOf(retentions.get(topic) ?? null),
      })),
    });
    await untilUsable(admin, missing);
  } finally {
    await admin.disconnect();
  }
}

function retentionsOf(topics: Topics): Map<string, number | null> {
  const names = Object.keys(topics) as TopicName[];
  return new Map(names.map((name) => [topics[name], retentionMs[name]]));
}

/** @param keptMs null leaves it to the cluster */
function configOf(keptMs: number | null) {
  return [
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'max.message.bytes', value: String(limits.maxRecordBytes) },
    ...(keptMs === null ? [] : [{ name: 'retention.ms', value: String(keptMs) }]),
  ];
}

async function untilUsable(admin: Admin, names: readonly string[]): Promise<void> {
  const giveUpAt = performance.now() + TIMEOUT_MS;
  for (;;) {
    const unusable = await withoutLeader(admin, names);
    if (unusable.length === 0) return;
    if (performance.now() > giveUpAt)
      throw new Error(`Kafka has no leader for these topics after ${TIMEOUT_MS} ms: ${unusable.join(', ')}`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function withoutLeader(admin: Admin, names: readonly string[]): Promise<string[]> {
  const known = await admin.fetchTopicMetadata({ topics: [...names] }).catch(() => ({ topics: [] }));
  const usable = known.topics.filter(({ partitions }) => partitions.every(({ leader }) => leader >= 0));
  return names.filter((name) => !usable.some((topic) => topic.name === name));
}
