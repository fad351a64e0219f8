import { randomBytes } from 'node:crypto';
import { expect, inject, it } from 'vitest';
import { createProducer } from '../../../shared/kafka/producer.ts';

const record = { topic: `none-${randomBytes(4).toString('hex')}`, key: 'k', value: {} };

it.each([
  ['no broker', () => ['127.0.0.1:1'], 'Kafka refused: KafkaJSConnectionError'],
  ['no topic', () => inject('kafkaBrokers').split(','), 'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION'],
])('says what kind of thing went wrong, and not where: %s', async (_what, brokers, message) => {
  const producer = createProducer({ brokers: brokers(), clientId: 'test' });
  try {
    const publishing = producer.publish([record], { timeoutMs: 10_000 });
    await expect(publishing).rejects.toMatchObject({
      code: 'PUBLISH_FAILED',
      message,
      cause: expect.any(Error),
    });
  } finally {
    await producer.close();
  }
});
