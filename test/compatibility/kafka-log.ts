import { createKafka } from '../../shared/kafka/client.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { openTopicReader } from '../support/topic-reader.ts';

/** A topic of one partition. */
export interface KeptTopic {
  readonly name: string;
  readonly records: readonly KeptRecord[];
  /** How far its consumers have got: the number of records that they have dealt with. */
  readonly group: { readonly id: string; readonly done: number } | null;
}

interface KeptRecord {
  readonly key: string | null;
  readonly value: string;
}

const options = (brokers: readonly string[]) => ({ brokers, clientId: 'compatibility' });

/** @param groups by topic; the topics without one are read by others, or by nobody */
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
        const id = groups.get(name);
        return { name, records, group: id === undefined ? null : { id, done: await doneBy(id, name) } };
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

/** The topics as they were, in a cluster that has none of the name or empty ones; consumers go on where they were. */
export async function writeTopics(brokers: readonly string[], topics: readonly KeptTopic[]): Promise<void> {
  const names = topics.map(({ name }) => name);
  await createTopics(options(brokers), names, { partitions: 1, replicationFactor: 1 });
  await appendRecords(brokers, topics);
  const admin = createKafka(options(brokers)).admin();
  await admin.connect();
  try {
    for (const { name, group } of topics) {
      if (group === null) continue;
      const partitions = [{ partition: 0, offset: String(group.done) }];
      await admin.setOffsets({ groupId: group.id, topic: name, partitions });
    }
  } finally {
    await admin.disconnect();
  }
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
