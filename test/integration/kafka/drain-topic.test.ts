import { randomUUID } from 'node:crypto';
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { CorruptBatch } from '../../../shared/kafka/compression/corrupt-batch.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';
import { type DrainOptions, drainTopic } from '../../../shared/kafka/drain-topic.ts';
import { openTopicReader } from '../../support/topic-reader.ts';

const kafka = { brokers: [inject('kafkaBrokers')], clientId: 'drain' };
const [from, to] = [`given-up-${randomUUID()}`, `work-${randomUUID()}`];
const groupId = `redrive-${randomUUID()}`;
const producer = createKafka(kafka).producer();
beforeAll(async () => {
  await createTopics(kafka, [from, to], { partitions: 2, replicationFactor: 1 });
  await producer.connect();
});
afterAll(() => producer.disconnect());

const drain = (options: Partial<DrainOptions> = {}) =>
  drainTopic({
    kafka,
    from,
    groupId,
    limit: 1_000,
    dryRun: false,
    recover: (text) =>
      text === 'leave me' ? null : { topic: to, key: Buffer.from('key'), value: Buffer.from(`"${text}"`) },
    ...options,
  });

test('what a topic holds is written once each, and what comes later the next time', async () => {
  expect(await drain()).toEqual({ seen: 0, written: 0, complete: true });
  await producer.send({
    topic: from,
    messages: [
      { value: 'a', partition: 0 },
      { value: 'leave me', partition: 0 },
      { value: 'b', partition: 1 },
    ],
  });
  expect(await drain({ dryRun: true })).toEqual({ seen: 3, written: 2, complete: true });
  expect(await drain({ limit: 1 })).toMatchObject({ seen: 1, complete: false });
  expect(await drain()).toMatchObject({ seen: 2, complete: true });
  expect(await drain()).toEqual({ seen: 0, written: 0, complete: true });
  await producer.send({ topic: from, messages: [{ value: 'c', partition: 1 }] });
  expect(await drain()).toEqual({ seen: 1, written: 1, complete: true });
  const reader = await openTopicReader<string>(kafka.brokers, to);
  const values = await reader.when(() => true, 3);
  await reader.close();
  expect(values.map(({ value }) => value).toSorted()).toEqual(['a', 'b', 'c']);
});

test('what comes back while it is drained waits for the next time, and keeps no other partition from its end', async () => {
  const large = 'x'.repeat(900_000);
  // A fetch takes one of a partition at a time: what the first record becomes is there before the others are read.
  for (const partition of [0, 1, 1, 1, 1, 1, 1])
    await producer.send({ topic: from, messages: [{ value: large, partition }] });
  // Its key leads to the partition that is at its end first.
  const back = () => ({ topic: from, key: Buffer.from('first'), value: Buffer.from('again') });
  expect(await drain({ recover: back })).toEqual({ seen: 7, written: 7, complete: true });
  expect(await drain({ recover: () => null })).toEqual({ seen: 7, written: 0, complete: true });
});

/** A topic of its own, of one partition, and its draining. */
async function ownTopic(configEntries: { name: string; value: string }[] = []) {
  const topic = `given-up-${randomUUID()}`;
  const admin = createKafka(kafka).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] });
  await admin.disconnect();
  const drained: string[] = [];
  const drainIt = (options: Partial<DrainOptions> = {}) =>
    drain({
      from: topic,
      groupId: `redrive-${topic}`,
      recover: (text) => {
        drained.push(text);
        return null;
      },
      ...options,
    });
  return { topic, drained, drainIt };
}

test.each(['gzip', 'snappy', 'lz4', 'zstd'])('a topic that compresses with %s is drained', async (codec) => {
  const { topic, drained, drainIt } = await ownTopic([{ name: 'compression.type', value: codec }]);
  const values = Array.from({ length: 50 }, (_, index) =>
    JSON.stringify({ index, text: 'again '.repeat(99) }),
  );
  await producer.send({ topic, messages: values.map((value) => ({ value })) });
  expect(await drainIt()).toEqual({ seen: 50, written: 0, complete: true });
  expect(drained).toEqual(values);
});

test('transactions’ markers, and records that were taken back, are passed', async () => {
  const { topic, drained, drainIt } = await ownTopic();
  const inTransaction = createKafka(kafka).producer({
    transactionalId: randomUUID(),
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await inTransaction.connect();
  const transact = async (value: string, how: 'commit' | 'abort') => {
    const transaction = await inTransaction.transaction();
    await transaction.send({ topic, messages: [{ value }] });
    await transaction[how]();
  };
  await transact('taken back', 'abort');
  await transact('kept', 'commit');
  expect(await drainIt()).toEqual({ seen: 1, written: 0, complete: true });
  // Not even one record.
  await transact('taken back too', 'abort');
  expect(await drainIt({ dryRun: true })).toEqual({ seen: 0, written: 0, complete: true });
  expect(await drainIt()).toEqual({ seen: 0, written: 0, complete: true });
  await transact('kept too', 'commit');
  await producer.send({ topic, messages: [{ value: 'without a transaction' }] });
  expect(await drainIt()).toEqual({ seen: 2, written: 0, complete: true });
  await inTransaction.disconnect();
  expect(drained).toEqual(['kept', 'kept too', 'without a transaction']);
});

test('a topic that was made anew under its name is drained from its beginning', async () => {
  const { topic, drained, drainIt } = await ownTopic();
  await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] });
  await drainIt();
  const admin = createKafka(kafka).admin();
  await admin.connect();
  await admin.setOffsets({ groupId: `redrive-${topic}`, topic, partitions: [{ partition: 0, offset: '7' }] });
  await admin.disconnect();
  expect(await drainIt()).toEqual({ seen: 3, written: 0, complete: true });
  expect(drained).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
});

test('a batch that nobody can decode ends it, with the place and the reason', async () => {
  const { topic, drained, drainIt } = await ownTopic([{ name: 'compression.type', value: 'zstd' }]);
  await producer.send({ topic, messages: [{ value: 'a' }] });
  const readable = CompressionCodecs[CompressionTypes.ZSTD];
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    decompress: () => Promise.reject(new CorruptBatch('zstd: as it may be')),
  });
  try {
    await expect(drainIt()).rejects.toMatchObject({
      code: 'READ_STALLED',
      message: `${topic} cannot be read to its end (partition 0 at 0): zstd: as it may be`,
    });
  } finally {
    CompressionCodecs[CompressionTypes.ZSTD] = readable;
  }
  expect(await drainIt()).toMatchObject({ seen: 1, complete: true });
  expect(drained).toEqual(['a']);
});

test('where its time is over it ends with what it has done', async () => {
  const { topic, drained, drainIt } = await ownTopic();
  await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
  expect(await drainIt({ timeoutMs: 0 })).toEqual({ seen: 0, written: 0, complete: false });
  expect(await drainIt()).toEqual({ seen: 2, written: 0, complete: true });
  expect(drained).toEqual(['a', 'b']);
});
