import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
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
  expect(await drain()).toEqual({ seen: 0, written: 0 });
  await producer.send({
    topic: from,
    messages: [
      { value: 'a', partition: 0 },
      { value: 'leave me', partition: 0 },
      { value: 'b', partition: 1 },
    ],
  });
  expect(await drain({ dryRun: true })).toEqual({ seen: 3, written: 2 });
  expect(await drain({ limit: 1 })).toMatchObject({ seen: 1 });
  expect(await drain()).toMatchObject({ seen: 2 });
  expect(await drain()).toEqual({ seen: 0, written: 0 });
  await producer.send({ topic: from, messages: [{ value: 'c', partition: 1 }] });
  expect(await drain()).toEqual({ seen: 1, written: 1 });
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
  expect(await drain({ recover: back })).toEqual({ seen: 7, written: 7 });
  expect(await drain({ recover: () => null })).toEqual({ seen: 7, written: 0 });
});
