import { randomBytes } from 'node:crypto';
import { createKafka } from '../../shared/kafka/client.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { createProducer } from '../../shared/kafka/producer.ts';
import { openDatabase } from '../../shared/persistence/database.ts';
import type { BenchServers, HttpAgent } from './bench-stack.ts';
import { median } from './latency.ts';
import { STEPS } from './workflow-shapes.ts';

/**
 * What this machine needs for the way of one HTTP run with no engine on it: for each step a record to a consumer that reads a row and
 * commits a small one, a record to a consumer that calls the agent, and its answer as a record. A run's latency is compared to it,
 * since what a hop takes differs between machines by more than an engine can add.
 * @returns p50 in milliseconds
 */
export async function measureBareHops(
  { databaseUrl, kafkaBrokers }: BenchServers,
  agent: HttpAgent,
  runs: number,
): Promise<number> {
  const prefix = `hops-${randomBytes(4).toString('hex')}`;
  const kafka = { brokers: kafkaBrokers.split(','), clientId: prefix };
  const [events, tasks] = [`${prefix}.events`, `${prefix}.tasks`] as const;
  await createTopics(kafka, [events, tasks], { partitions: 1, replicationFactor: 1 });
  const database = openDatabase({ url: databaseUrl });
  await database.execute('create table if not exists hops (id bigserial primary key, value text)');
  const producer = createProducer(kafka);
  let arrived: () => void = () => {};

  const consumers = [
    await consume(kafka, events, async (step) => {
      await database.many('select id from hops where id = $1', [step]);
      await database.execute("insert into hops (value) values ('one small insert')");
      if (step === STEPS) arrived();
      else await producer.publish([{ topic: tasks, key: prefix, value: { step } }]);
    }),
    await consume(kafka, tasks, async (step) => {
      const response = await fetch(agent.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ input_data: { step } }),
      });
      await response.arrayBuffer();
      await producer.publish([{ topic: events, key: prefix, value: { step: step + 1 } }]);
    }),
  ];
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    const done = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await producer.publish([{ topic: events, key: prefix, value: { step: 0 } }]);
    await done;
    times.push(performance.now() - began);
  }
  await Promise.all(consumers.map((consumer) => consumer.disconnect()));
  await database.execute('drop table hops');
  await Promise.all([producer.close(), database.close()]);
  return median(times.slice(runs >> 1));
}

async function consume(
  kafka: Parameters<typeof createKafka>[0],
  topic: string,
  handle: (step: number) => Promise<void>,
) {
  const consumer = createKafka(kafka).consumer({
    groupId: `${topic}.group`,
    maxWaitTimeInMs: 200,
    minBytes: 1,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
  await consumer.run({
    autoCommit: false,
    eachMessage: ({ message }) => handle(Number(JSON.parse(String(message.value)).step)),
  });
  await joined;
  return consumer;
}
