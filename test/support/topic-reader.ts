import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';
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

/**
 * Reads a topic of JSON records from its beginning on; what is not JSON is left out. It reads when this resolves: a consumer whose group
 * was given no partition, or that has crashed, would be silent for minutes, which a busy broker brings about.
 */
export async function openTopicReader<T>(brokers: readonly string[], topic: string): Promise<TopicReader<T>> {
  const records: ReadRecord<T>[] = [];
  const read = new Set<string>();
  const add = (record: ReadRecord<T>) => {
    const place = `${record.partition} ${record.offset}`;
    if (!read.has(place)) records.push(record);
    read.add(place);
  };
  const failures: string[] = [];
  let closed = false;
  let consumer: Consumer | undefined;
  const open = async (): Promise<void> => {
    for (let tries = 1; !closed; tries++) {
      try {
        consumer = await consume(brokers, topic, add, (error) => {
          failures.push(error.message);
          void open().catch(() => undefined);
        });
        return;
      } catch (error) {
        failures.push((error as Error).message);
        if (tries === TRIES) throw new Error(`${topic} cannot be read: ${failures.join(' | ')}`);
      }
    }
  };
  await open();
  return {
    records,
    when: (passes, count, withinMs) =>
      eventually(
        `${count} records of ${topic}${failures.length === 0 ? '' : ` (${failures.join(' | ')})`}`,
        () => records.filter(passes),
        (seen) => seen.length >= count,
        withinMs,
      ),
    close: async () => {
      closed = true;
      await consumer?.disconnect();
    },
  };
}

const TRIES = 10;
const JOIN_MS = 15_000;

async function consume<T>(
  brokers: readonly string[],
  topic: string,
  add: (record: ReadRecord<T>) => void,
  crashed: (error: Error) => void,
): Promise<Consumer> {
  const consumer = createKafka({ brokers, clientId: 'topic-reader' }).consumer({
    // Each reader begins at the beginning.
    groupId: `${topic}.reader.${randomUUID()}`,
    maxWaitTimeInMs: 200,
  });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const joined = new Promise<boolean>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
        resolve((payload.memberAssignment[topic] ?? []).length > 0),
      );
    });
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        const value = maybeParse<T>(String(message.value));
        const key = message.key === null ? null : String(message.key);
        if (value !== undefined) add({ key, partition, offset: Number(message.offset), value });
      },
    });
    const late = sleep(JOIN_MS, 'late' as const, { ref: false });
    if ((await Promise.race([joined, late])) !== true)
      throw new Error('no partition was given to the reader');
  } catch (error) {
    await consumer.disconnect().catch(() => undefined);
    throw error;
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) crashed(payload.error);
  });
  return consumer;
}

function maybeParse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
