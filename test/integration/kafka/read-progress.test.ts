import { randomBytes } from 'node:crypto';
import { Partitioners } from 'kafkajs';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { readProgress } from '../../../shared/kafka/read-progress.ts';

const options = { brokers: inject('kafkaBrokers').split(','), clientId: 'test' };
const kafka = createKafka(options);
const admin = kafka.admin();
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
const MINUTE = 60_000;
const NOW = Date.now();

beforeAll(() => Promise.all([admin.connect(), producer.connect()]));
afterAll(() => Promise.all([admin.disconnect(), producer.disconnect()]));

/** A topic with a record of each key at each of these times, of which its group has read so many of each partition. */
async function topicWith(
  keys: readonly string[],
  minutesAgo: readonly number[],
  read: number | null,
  numPartitions = 1,
) {
  const topic = `progress-${randomBytes(4).toString('hex')}`;
  const groupId = `of-${topic}`;
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
  for (const ago of minutesAgo) {
    const timestamp = String(NOW - ago * MINUTE);
    await producer.send({ topic, messages: keys.map((key) => ({ key, value: '{}', timestamp })) });
  }
  if (read !== null) {
    const partitions = Array.from({ length: numPartitions }, (_, partition) => ({
      partition,
      offset: String(read),
    }));
    await admin.setOffsets({ groupId, topic, partitions });
  }
  const until = await readProgress(options, [{ topic, groupId }], NOW, 30_000);
  return { topic, groupId, readUntil: (key: string) => until(topic, key) };
}

it('a group that reads on has come further and further, as far as can be told', async () => {
  const { topic, groupId } = await topicWith(['k'], [20, 8, 3, 2, 1], null);
  const come: number[] = [];
  for (const offset of ['0', '1', '2', '4', '5']) {
    await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset }] });
    come.push((await readProgress(options, [{ topic, groupId }], NOW, 30_000))(topic, 'k'));
  }
  // Those of 8 minutes ago are read, or not; the last offset may be that of a marker, which nobody reads.
  const minutes = (ago: number) => NOW - ago * MINUTE;
  expect(come).toEqual([minutes(32), minutes(8), minutes(4), NOW, NOW]);
});

it('a group that never committed has read nothing', async () => {
  const { readUntil } = await topicWith(['k'], [90, 60, 3], null);
  expect(readUntil('k')).toBe(Number.NEGATIVE_INFINITY);
});

it('each key has its partition’s progress: what waits in one is not asked for, what was read in another is', async () => {
  const keys = Array.from({ length: 8 }, (_, i) => `key-${i}`);
  const { topic, groupId, readUntil } = await topicWith(keys, [5, 4], 0, 4);
  const partitionOf = async (key: string) => {
    const [sent] = await producer.send({ topic, messages: [{ key, value: '{}' }] });
    return sent!.partition;
  };
  const first = await partitionOf(keys[0]!);
  expect(readUntil(keys[0]!)).toBe(NOW - 8 * MINUTE);
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: first, offset: '1000' }] });
  const until = await readProgress(options, [{ topic, groupId }], NOW, 30_000);
  for (const key of keys) {
    const isRead = (await partitionOf(key)) === first;
    expect([key, until(topic, key)]).toEqual([key, isRead ? NOW : NOW - 8 * MINUTE]);
  }
});

it('a topic that nobody asked about is no reason to wait', async () => {
  const until = await readProgress(options, [], NOW, 30_000);
  expect(until('any', 'k')).toBe(Number.POSITIVE_INFINITY);
});

it('a cluster that does not answer is given up in time', async () => {
  const asked = [{ topic: 't', groupId: 'g' }];
  const nowhere = { brokers: ['127.0.0.1:1'], clientId: 'test' };
  await expect(readProgress(nowhere, asked, NOW, 300)).rejects.toThrow();
});
