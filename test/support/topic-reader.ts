import { randomUUID } from 'node:crypto';
import { createKafka } from '../../shared/kafka/client.ts';
import { eventually } from './eventually.ts';

export interface ReadRecord<T> {
  readonly key: string | null;
  readonly partition: number;
  readonly offset: number;
  readonly value: T;
}

export interface TopicReader<T> {
  /** What came until now, in the order of each partition. */
  readonly records: readonly ReadRecord<T>[];
  /** The records that pass, once there are `count`. */
  when(
    passes: (record: ReadRecord<T>) => boolean,
    count: number,
    withinMs?: number,
  ): Promise<ReadRecord<T>[]>;
  close(): Promise<void>;
}

/** Reads a topic of JSON records from its beginning on; what is not JSON is left out. */
export async function openTopicReader<T>(brokers: readonly string[], topic: string): Promise<TopicReader<T>> {
  const records: ReadRecord<T>[] = [];
  const consumer = createKafka({ brokers, clientId: 'topic-reader' }).consumer({
    // Each reader begins at the beginning.
    groupId: `${topic}.reader.${randomUUID()}`,
    maxWaitTimeInMs: 200,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const value = maybeParse<T>(String(message.value));
      if (value === undefined) return;
      records.push({
        key: message.key === null ? null : String(message.key),
        partition,
        offset: Number(message.offset),
        value,
      });
    },
  });
  return {
    records,
    when: (passes, count, withinMs) =>
      eventually(
        `${count} records of ${topic}`,
        () => records.filter(passes),
        (seen) => seen.length >= count,
        withinMs,
      ),
    close: () => consumer.disconnect(),
  };
}

function maybeParse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
