import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type GaugesDeps, reportGauges } from '../../../functions/timekeeper/gauges.ts';
import { createKafka } from '../../../shared/kafka/client.ts';
import { countRecords } from '../../../shared/kafka/count-records.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import { eventually } from '../../support/eventually.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

const kafka = { brokers: [inject('kafkaBrokers')], clientId: 'gauges' };
const [deadLetterTopic, onFailureTopic] = [`dead-${randomUUID()}`, `failed-${randomUUID()}`];
interface Directive {
  readonly Timestamp: number;
  readonly CloudWatchMetrics: unknown;
}

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url });
  await createTopics(kafka, [deadLetterTopic, onFailureTopic], { partitions: 2, replicationFactor: 1 });
  // A busy broker tells of a leader a moment before it is one.
  const counted = () =>
    countRecords(kafka, [deadLetterTopic, onFailureTopic]).then(
      ({ size }) => size,
      () => 0,
    );
  await eventually('the topics', counted, (size) => size === 2);
});
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});

const lines: string[] = [];
const deps: GaugesDeps = {
  get database() {
    return database;
  },
  countRecords: (topics) => countRecords(kafka, topics),
  deadLetterTopic,
  onFailureTopic,
  functionName: 'timekeeper',
  write: (line) => lines.push(line),
  clock: () => 1_790_000_000_000,
};

/** Of the lines that were written since the last time. */
function written(): Record<string, number> {
  const reports = lines.splice(0).map((line) => JSON.parse(line) as { _aws: Directive });
  for (const { _aws, ...values } of reports) {
    const { FunctionName: _, ...gauges } = values as Record<string, unknown>;
    expect(_aws.Timestamp).toBe(1_790_000_000_000);
    expect(_aws.CloudWatchMetrics).toEqual([
      {
        Namespace: 'Stepline',
        Dimensions: [['FunctionName']],
        Metrics: Object.keys(gauges).map((Name) => ({
          Name,
          Unit: expect.stringMatching(/^Seconds$|^Count$/),
        })),
      },
    ]);
  }
  return Object.assign({}, ...reports.map(({ _aws, ...values }) => values));
}

async function gauges(): Promise<Record<string, number>> {
  await reportGauges(deps);
  return written();
}

test('an idle system has nothing to tell', async () => {
  expect(await gauges()).toEqual({
    FunctionName: 'timekeeper',
    OutboxAge: 0,
    TimerLag: 0,
    OldestPendingRun: 0,
    DeadLetters: 0,
    GivenUpRecords: 0,
  });
});

test('runs that a pause holds do not wait for anybody', async () => {
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at, paused_at)
     values ('run-held', 'wf-a-1', 'a', 'PENDING', now() - interval '1 day', now() - interval '1 day')`,
  );
  expect(await gauges()).toMatchObject({ OldestPendingRun: 0 });
});

test('what waits is told by how long, and what was given up by how many', async () => {
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status, created_at, wake_at)
     values ('run-1', 'wf-a-1', 'a', 'PENDING', now() - interval '100 s', now() - interval '20 s'),
            ('run-2', 'wf-a-1', 'a', 'RUNNING', now() - interval '900 s', now() + interval '20 s')`,
  );
  await database.execute(
    `insert into outbox (id, messages, created_at) values (gen_random_uuid(), '[]', now() - interval '50 s')`,
  );
  const producer = createKafka(kafka).producer();
  await producer.connect();
  await producer.send({ topic: deadLetterTopic, messages: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] });
  await producer.disconnect();
  const found = await gauges();
  expect(found).toMatchObject({ DeadLetters: 3, GivenUpRecords: 0 });
  const rounded = [found.OutboxAge, found.TimerLag, found.OldestPendingRun].map((each) =>
    Math.floor((each ?? 0) / 10),
  );
  expect(rounded).toEqual([5, 2, 10]);
});

test('while Kafka is away it is told how long messages have been left behind, and the other way round', async () => {
  const away = () => Promise.reject(new Error('Kafka is away'));
  await expect(reportGauges({ ...deps, countRecords: away })).rejects.toThrow('Kafka is away');
  expect(Object.keys(written())).toEqual(['FunctionName', 'OutboxAge', 'TimerLag', 'OldestPendingRun']);

  const noDatabase = openDatabase({ url: 'postgresql://user:pw@127.0.0.1:1/none' });
  await expect(reportGauges({ ...deps, database: noDatabase })).rejects.toThrow();
  expect(Object.keys(written())).toEqual(['FunctionName', 'DeadLetters', 'GivenUpRecords']);
  await noDatabase.close();
});
