import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { removeWithLauncher } from '../../../localstack/guardian.ts';
import { type RunningKafka, startKafka } from '../../../localstack/kafka.ts';
import { createKafka } from '../../../shared/kafka/client.ts';
import { createProducer, type RecordProducer } from '../../../shared/kafka/producer.ts';

// A broker of its own, since it stands still.
const dir = mkdtempSync(join(tmpdir(), 'stepline-silent-broker-'));
const TOPIC = 'silent';
let kafka: RunningKafka;
let producer: RecordProducer;
let countRecords: () => Promise<number>;
let disconnect: () => Promise<void>;

beforeAll(async () => {
  removeWithLauncher(dir);
  kafka = await startKafka({ dir });
  const options = { brokers: [kafka.brokers], clientId: 'test' };
  const admin = createKafka(options).admin();
  await admin.connect();
  disconnect = () => admin.disconnect();
  await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 1 }], waitForLeaders: true });
  countRecords = async () => Number((await admin.fetchTopicOffsets(TOPIC))[0]!.high);
  producer = createProducer(options, [TOPIC]);
});
afterAll(async () => {
  process.kill(kafka.pid, 'SIGCONT');
  await producer?.close();
  await disconnect?.();
  await kafka?.kill();
  rmSync(dir, { recursive: true, force: true });
});

it('a broker that stands still leaves records unknown; it is told late that it has them, and has them once', async () => {
  await producer.publish([{ topic: TOPIC, key: 'k', value: { n: 1 } }], { timeoutMs: 30_000 });
  process.kill(kafka.pid, 'SIGSTOP');
  const records = [2, 3].map((n) => ({ topic: TOPIC, key: 'k', value: { n } }));
  const { deliveries, late } = await producer.send(records, { timeoutMs: 1_500 });
  const unknown = { status: 'unknown', reason: 'Kafka did not answer within 1500 ms' };
  expect(deliveries).toEqual([unknown, unknown]);
  process.kill(kafka.pid, 'SIGCONT');
  expect(await late).toEqual([{ status: 'acknowledged' }, { status: 'acknowledged' }]);
  expect(await countRecords()).toBe(3);
});
