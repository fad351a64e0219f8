import { createKafka } from '../../shared/kafka/client.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { openTopicReader } from '../support/topic-reader.ts';

/** A topic of one partition. */
export interface KeptTopic {
  readonly name: string;
  readonly records: readonly KeptRecord[];
  /** How many of them our functions had dealt with: none of those that others read. */
  readonly done: number;
}

interface KeptRecord {
  readonly key: string | null;
  readonly value: string;
}

const options = (brokers: readonly string[]) => ({ brokers, clientId: 'compatibility' });

/** @param groups by topic, of our functions */
export async function readTopics(
  brokers: readonly string[],
  names: readonly string[],
  groups: ReadonlyMap<string, string>,
): Promise<KeptTopic[]> {
  const admin = createKafka(options(brokers)).admin();
  await admin.connect();
  try {
    return await Promise.all(
      names.map(async (name) => {
        const [partition] = await admin.fetchTopicOffsets(name);
        const records = await readRecords(brokers, name, Number(partition?.high ?? 0));
        const groupId = groups.get(name);
        return { name, records, done: groupId === undefined ? 0 : await doneBy(groupId, name) };
      }),
    );
  } finally {
    await admin.disconnect();
  }

  async function doneBy(groupId: string, topic: string): Promise<number> {
    const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return Math.max(0, Number(offsets?.partitions[0]?.offset ?? 0));
  }
}

async function readRecords(brokers: readonly string[], name: string, count: number): Promise<KeptRecord[]> {
  if (count === 0) return [];
  const reader = await openTopicReader<unknown>(brokers, name);
  try {
    const records = await reader.when(() => true, count);
    return records.map(({ key, value }) => ({ key, value: JSON.stringify(value) }));
  } finally {
    await reader.close();
  }
}

/** What consumers have still to read, in topics of a cluster that has them empty, or not yet. */
export async function writeTopics(brokers: readonly string[], topics: readonly KeptTopic[]): Promise<void> {
  const names = topics.map(({ name }) => name);
  await createTopics(options(brokers), names, { partitions: 1, replicationFactor: 1 });
  const unread = topics.map(({ name, records, done }) => ({ name, records: records.slice(done), done }));
  await appendRecords(brokers, unread);
}

/** Each record once more: Kafka delivers at least once. */
export async function appendRecords(brokers: readonly string[], topics: readonly KeptTopic[]): Promise<void> {
  const producer = createKafka(options(brokers)).producer();
  await producer.connect();
  try {
    const topicMessages = topics
      .filter(({ records }) => records.length > 0)
      .map(({ name, records }) => ({ topic: name, messages: [...records] }));
    await producer.sendBatch({ topicMessages });
  } finally {
    await producer.disconnect();
  }
}
