import { compressionsAlgorithms } from '@platformatic/kafka';
import type { Transaction } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readConsumerLag } from '../../../shared/kafka/consumer-lag.ts';
import { MappingHarness, textOf, until } from './mapping-harness.ts';

/* What other producers write, as clients of other languages do: compressed, and in transactions. */

const brokers = [inject('kafkaBrokers')];
let harness: MappingHarness;
let topics = 0;
beforeAll(async () => {
  harness = await MappingHarness.open(inject('kafkaBrokers'), 'others');
});
afterAll(() => harness.close());

async function lagOf(topic: string): Promise<number | undefined> {
  const options = { brokers, clientId: 'others' };
  return (await readConsumerLag(options, [{ groupId: `${topic}.group`, topic }], 60_000))[0]?.lag;
}

/** A topic whose broker compresses by itself, with the libraries of Java's clients. */
async function compressing(codec: string): Promise<string> {
  const topic = `others.${codec}.${++topics}`;
  const configEntries = [{ name: 'compression.type', value: codec }];
  await harness.admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }] });
  return topic;
}

describe('compressed records', () => {
  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('of %s reach the function as they were', async (codec) => {
    const topic = await compressing(codec);
    const values = Array.from({ length: 200 }, (_, index) =>
      JSON.stringify({ index, text: 'tell '.repeat(80) }),
    );
    await harness.produceValues(topic, values.slice(0, 100), 0);
    await harness.produceValues(topic, values.slice(100), 1);
    const seen: string[] = [];
    await harness.mapping(topic, (records) => void seen.push(...records.map(textOf))).start();
    await until(() => seen.length >= 200);
    expect(seen.toSorted()).toEqual(values.toSorted());
  });

  test('that cannot be decoded are told of, and are waited for', async () => {
    const topic = await compressing('zstd');
    await harness.produceValues(topic, ['a']);
    const zstd: { decompressSync: (data: Buffer) => Buffer } = compressionsAlgorithms.zstd;
    const readable = zstd.decompressSync;
    zstd.decompressSync = () => {
      throw new Error('zstd: as it may be');
    };
    const told: string[] = [];
    const seen: string[] = [];
    const log = (line: string) => void told.push(line);
    await harness.mapping(topic, (records) => void seen.push(...records.map(textOf)), {}, { log }).start();
    await until(() => told.length >= 2);
    zstd.decompressSync = readable;
    const said = `${topic} → fixture: cannot read the topic, whose records wait: zstd: as it may be; tries again in`;
    expect(told.slice(0, 2)).toEqual([`${said} 500 ms`, `${said} 1000 ms`]);
    await until(() => seen.length === 1);
    expect(seen).toEqual(['a']);
  });
});

describe('records of transactions', () => {
  let transact: (
    topic: string,
    value: string,
    end: keyof Pick<Transaction, 'commit' | 'abort'>,
  ) => Promise<void>;
  beforeAll(async () => {
    const producer = harness.kafka.producer({
      transactionalId: 'others',
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    transact = async (topic, value, end) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      await transaction[end]();
    };
    return () => producer.disconnect();
  });

  test('are done with their markers: nothing stays behind', async () => {
    const topic = await harness.createTopic();
    const seen: string[] = [];
    await harness.mapping(topic, (records) => void seen.push(...records.map(textOf))).start();
    await transact(topic, 'kept', 'commit');
    await until(async () => (await lagOf(topic)) === 0);
    await transact(topic, 'taken back', 'abort');
    await until(async () => (await lagOf(topic)) === 0);
    await harness.produceValues(topic, ['plain']);
    await until(async () => (await lagOf(topic)) === 0);
    expect(seen).toEqual(['kept', 'plain']);
    expect(await harness.committed(topic)).toEqual({ 0: 5 });
  });

  test('that were taken back one after another, by one producer, are all left out', async () => {
    const topic = await harness.createTopic();
    await transact(topic, 'taken back', 'abort');
    await transact(topic, 'kept', 'commit');
    await transact(topic, 'taken back too', 'abort');
    await harness.produceValues(topic, ['plain']);
    const seen: string[] = [];
    await harness.mapping(topic, (records) => void seen.push(...records.map(textOf))).start();
    await until(() => seen.includes('plain'));
    expect(seen).toEqual(['kept', 'plain']);
  });

  test('that were all taken back leave nothing either, and a marker is passed only when what is before it is done', async () => {
    const topic = await harness.createTopic();
    await transact(topic, 'taken back', 'abort');
    const finish = Promise.withResolvers<void>();
    const mapping = harness.mapping(topic, () => finish.promise);
    await mapping.start();
    await until(async () => (await harness.committed(topic))[0] === 2);
    await transact(topic, 'under way', 'commit');
    await transact(topic, 'taken back', 'abort');
    // A round of its own, which comes after the marker has.
    await until(async () => (await lagOf(topic)) === 4);
    expect(await harness.committed(topic)).toEqual({ 0: 2 });
    finish.resolve();
    await until(async () => (await lagOf(topic)) === 0);
  });
});
