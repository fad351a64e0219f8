import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Delivery } from '../../../shared/application/ports/publishing.ts';
import { createKafka } from '../../../shared/kafka/client.ts';
import { createProducer, type RecordProducer } from '../../../shared/kafka/producer.ts';
import { eventually } from '../../support/eventually.ts';

const fresh = (name: string) => `${name}-${randomBytes(4).toString('hex')}`;
const recordTo = (topic: string, key = 'k') => ({ topic, key, value: { key } });
const brokers = inject('kafkaBrokers').split(',');
/** On a busy machine too. */
const patient = { timeoutMs: 30_000 };

it.each([
  ['no broker', () => ['127.0.0.1:1'], { timeoutMs: 5_000 }, 'Kafka was not reached: KafkaJSConnectionError'],
  ['no topic', () => brokers, patient, 'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION'],
])('says what kind of thing went wrong, and not where: %s', async (_what, brokersOf, options, message) => {
  const producer = createProducer({ brokers: brokersOf(), clientId: 'test' });
  try {
    const publishing = producer.publish([recordTo(fresh('none'))], options);
    await expect(publishing).rejects.toMatchObject({ code: 'PUBLISH_FAILED', message });
  } finally {
    await producer.close();
  }
});

describe('topics fare each for itself', () => {
  const admin = createKafka({ brokers, clientId: 'test' }).admin();
  let own: string;
  let producer: RecordProducer;
  beforeAll(async () => {
    await admin.connect();
    own = fresh('own');
    await make(own);
    producer = createProducer({ brokers, clientId: 'test' }, [own]);
  });
  afterAll(async () => {
    await producer?.close();
    await admin.disconnect();
  });

  async function make(topic: string, settings: Record<string, string> = {}): Promise<void> {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: false });
    await eventually(
      `${topic} to be there`,
      () => admin.fetchTopicMetadata({ topics: [topic] }).catch(() => null),
      (seen) => seen !== null,
    );
  }
  const told = (deliveries: readonly Delivery[]) =>
    deliveries.map((delivery) => (delivery.status === 'refused' ? delivery.code : delivery.status));
  const send = async (...records: ReturnType<typeof recordTo>[]) =>
    told((await producer.send(records, patient)).deliveries);
  const countOf = async (topic: string) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };

  it('one that does not exist, or cannot, is refused, and its neighbours are acknowledged once', async () => {
    const [gone, other] = [fresh('agent.gone'), fresh('agent.other')];
    await make(other);
    await expect
      .poll(() => send(recordTo(own), recordTo(own, 'x'), recordTo(other)))
      .toEqual(Array(3).fill('acknowledged'));
    const [before, ofOther] = [await countOf(own), await countOf(other)];
    const records = [
      recordTo(own),
      recordTo(gone),
      recordTo(other),
      recordTo('agent.no name'),
      recordTo(own, 'x'),
    ];
    expect(await send(...records)).toEqual([
      'acknowledged',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'acknowledged',
      'INVALID_TOPIC_EXCEPTION',
      'acknowledged',
    ]);
    expect([(await countOf(own)) - before, (await countOf(other)) - ofOther]).toEqual([2, 1]);
  });

  it('one that does not exist costs its neighbours nothing, and is found when it is made', async () => {
    const late = fresh('agent.late');
    // The client asks six times for metadata, which takes more than a second each time: two minutes for these.
    const begun = performance.now();
    for (let i = 0; i < 100; i++)
      expect(await send(recordTo(own), recordTo(late))).toEqual([
        'acknowledged',
        // Nobody waits for Kafka's word about a topic that was not there before, on a busy machine.
        expect.stringMatching(/^(UNKNOWN_TOPIC_OR_PARTITION|unsent)$/),
      ]);
    expect(performance.now() - begun).toBeLessThan(60_000);
    await make(late);
    await expect.poll(() => send(recordTo(late))).toEqual(['acknowledged']);
  });

  it('one that was deleted takes none with it that the client wrote to beside it', async () => {
    const [stays, goes] = [fresh('agent.stays'), fresh('agent.goes')];
    await Promise.all([make(stays), make(goes)]);
    await expect.poll(() => send(recordTo(stays), recordTo(goes))).toEqual(['acknowledged', 'acknowledged']);
    await admin.deleteTopics({ topics: [goes] });
    await expect
      .poll(() => send(recordTo(stays), recordTo(goes)))
      .toEqual(['acknowledged', 'UNKNOWN_TOPIC_OR_PARTITION']);
    const added = fresh('agent.added');
    await make(added);
    await expect
      .poll(() => send(recordTo(stays), recordTo(added), recordTo(own)))
      .toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
  });

  it('a record that is too large is refused alone', async () => {
    const small = fresh('agent.small');
    await make(small, { 'max.message.bytes': '2000' });
    await expect
      .poll(() => send(recordTo(small), recordTo(small, 'x')))
      .toEqual(['acknowledged', 'acknowledged']);
    const before = await countOf(small);
    const large = { topic: small, key: 'k', value: { key: randomBytes(4_000).toString('hex') } };
    expect(await send(recordTo(small), large, recordTo(small), recordTo(small, 'x'))).toEqual([
      'acknowledged',
      'MESSAGE_TOO_LARGE',
      'acknowledged',
      'acknowledged',
    ]);
    expect((await countOf(small)) - before).toBe(3);
  });
});
