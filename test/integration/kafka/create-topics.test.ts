import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';

const kafka = { brokers: [inject('kafkaBrokers')], clientId: 'create-topics' };

test('a topic that is made can be used at once, however busy the broker is with making others', async () => {
  const prefix = `made-${randomUUID()}`;
  const layout = { partitions: 4, replicationFactor: 1 };
  const topics = Array.from({ length: 16 }, (_, i) => `${prefix}.${i}`);
  const producer = createKafka(kafka).producer();
  await producer.connect();
  await Promise.all(
    topics.map(async (topic) => {
      await createTopics(kafka, [`${topic}.a`, `${topic}.b`], layout);
      const [sent] = await producer.send({ topic: `${topic}.b`, messages: [{ value: 'first' }] });
      expect(sent).toMatchObject({ topicName: `${topic}.b`, errorCode: 0 });
    }),
  );
  await producer.disconnect();
});
