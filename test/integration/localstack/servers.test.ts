import { Kafka, logLevel } from 'kafkajs';
import pg from 'pg';
import { expect, inject, test } from 'vitest';

test('PostgreSQL 18 answers as the sources’ user, with durability on', async () => {
  const client = new pg.Client({ connectionString: inject('databaseUrl') });
  await client.connect();
  const { rows } = await client.query(
    `select current_user as user, current_database() as database, current_setting('server_version_num')::int / 10000 as major,
            current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
            current_setting('jit') as jit, current_setting('max_connections') as max_connections,
            current_setting('server_encoding') as encoding, current_setting('listen_addresses') as addresses`,
  );
  await client.end();
  expect(rows).toEqual([
    {
      user: 'workflow_user',
      database: 'workflow_db',
      major: 18,
      fsync: 'on',
      synchronous_commit: 'on',
      jit: 'off',
      max_connections: '200',
      encoding: 'UTF8',
      addresses: '127.0.0.1',
    },
  ]);
});

test('the Kafka broker takes a record of 2 MiB', async () => {
  const topic = 'servers.large-records';
  const kafka = new Kafka({ brokers: [inject('kafkaBrokers')], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{ topic, numPartitions: 1, configEntries: [{ name: 'max.message.bytes', value: '2162688' }] }],
  });
  const producer = kafka.producer();
  await producer.connect();
  const [report] = await producer.send({ topic, messages: [{ value: Buffer.alloc(2 * 1024 * 1024, 1) }] });
  expect(report?.errorCode).toBe(0);
  expect(await admin.fetchTopicOffsets(topic)).toEqual([{ partition: 0, offset: '1', high: '1', low: '0' }]);
  await producer.disconnect();
  await admin.disconnect();
});
