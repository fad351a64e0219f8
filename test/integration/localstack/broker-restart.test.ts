import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeWithLauncher } from '../../../localstack/guardian.ts';
import { type RunningKafka, startKafka } from '../../../localstack/kafka.ts';
import { MappingHarness, textOf, until } from './mapping-harness.ts';

// A broker of its own, since it goes away.
const folder = mkdtempSync(join(tmpdir(), 'stepline-broker-'));
let kafka: RunningKafka;
let harness: MappingHarness;

beforeAll(async () => {
  removeWithLauncher(folder);
  kafka = await startKafka({ dir: folder });
  harness = await MappingHarness.open(kafka.brokers, 'restart');
});

afterAll(async () => {
  await harness.close();
  await kafka.kill();
  rmSync(folder, { recursive: true });
});

test.each(['stop', 'kill'] as const)(
  'after a %s of the broker a mapping goes on by itself, in seconds, where it was',
  async (how) => {
    const topic = await harness.createTopic();
    const seen: string[] = [];
    const mapping = harness.mapping(topic, (records) => void seen.push(...records.map(textOf)));
    await mapping.start();
    await harness.produceValues(topic, ['before']);
    await until(async () => (await harness.committed(topic))[0] === 1);

    await kafka[how]();
    kafka = await startKafka({ dir: folder, port: kafka.port });
    const back = performance.now();
    await harness.produceValues(topic, ['after']);
    await until(() => seen.includes('after'));
    // About 7 s, most of which are waited; with kafkajs' own settings it is 23.
    expect(performance.now() - back).toBeLessThan(20_000);
    expect(seen).toEqual(['before', 'after']);
    await until(async () => (await harness.committed(topic))[0] === 2);
  },
);

test('a broker that is away when a mapping starts or stops holds up neither for ever', async () => {
  const topic = await harness.createTopic();
  const late = harness.mapping(topic, () => {});
  await kafka.stop();
  const started = late.start();
  const stopping = performance.now();
  const other = harness.mapping(topic, () => {}, { consumerGroupId: 'other' });
  void other.start();
  await other.stop();
  expect(performance.now() - stopping).toBeLessThan(30_000);
  kafka = await startKafka({ dir: folder, port: kafka.port });
  await started;
});

test('a second broker on the same folder or port is refused with what to do', async () => {
  await expect(startKafka({ dir: folder })).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: expect.stringMatching(
      /^Another Kafka broker \(process \d+\) is running on .*\n {2}- stop .*kill \d+\n {2}- or start another .*\n {2}- or set KAFKA_BROKERS/,
    ),
  });
  await expect(startKafka({ dir: join(folder, 'other'), port: kafka.port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringMatching(/^Port \d+, wanted by Kafka, is in use\.\n.*\n.*KAFKA_BROKERS/),
  });
});
