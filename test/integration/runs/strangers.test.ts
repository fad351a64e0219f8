import { randomBytes } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { eventually } from '../../support/eventually.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';
import { openTopicReader } from '../../support/topic-reader.ts';

/** A registry that takes questions, and never answers. */
const asked: string[] = [];
const held: ServerResponse[] = [];
let registry: Server;
let stack: RunStack;
let mineId: string;
beforeAll(async () => {
  registry = createServer(({ url }, response) => {
    asked.push(url!.split('/').at(-1)!);
    held.push(response);
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  const { port } = registry.address() as AddressInfo;
  stack = await startRunStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    variables: { AGENT_REGISTRY_URL: `http://127.0.0.1:${port}` },
  });
  await stack.addAgent('worker');
  mineId = await stack.client.createWorkflow(sequence('mine', 'worker', 5));
});
afterAll(async () => {
  await stack?.close();
  registry?.closeAllConnections();
  registry?.close();
});

/** How long five runs of five steps take, one after the other, while others' runs are under way. */
async function timeOfMine(): Promise<number> {
  const begun = performance.now();
  for (let i = 0; i < 5; i++)
    expect((await stack.client.ended(await stack.client.execute(mineId, { message: i }))).status).toBe(
      'COMPLETED',
    );
  return performance.now() - begun;
}

async function startTheirs(agents: readonly string[]): Promise<string[]> {
  const runIds: string[] = [];
  for (const agent of agents) {
    const id = await stack.client.createWorkflow(sequence(`of-${agent}`, agent, 1));
    runIds.push(await stack.client.execute(id, { message: agent }));
  }
  return runIds;
}

async function addKafkaAgent(name: string, topic: string): Promise<void> {
  await stack.database.execute(`insert into agents (id, name, kind, address) values ($1, $2, 'kafka', $3)`, [
    uuidv7(),
    name,
    topic,
  ]);
}

const outboxRows = () => stack.database.many<{ id: string }>('select id from outbox');

describe('a registry that hangs', () => {
  it('costs the runs that need it their time, and others next to nothing', async () => {
    const alone = await timeOfMine();
    asked.splice(0);
    const agents = Array.from({ length: 8 }, (_, i) => `elsewhere-${i}`);
    const theirs = startTheirs(agents);
    const beside = await timeOfMine();
    // Each decision waited two seconds for it: of theirs, and of whoever came in between, a minute at least.
    expect(beside).toBeLessThan(4 * alone + 20_000);
    for (const runId of await theirs) {
      expect(await stack.client.ended(runId)).toMatchObject({
        status: 'FAILED',
        error_code: 'AGENT_REGISTRY_UNAVAILABLE',
      });
    }
    // Three attempts of eight runs, by the executor, the timekeeper and the bridge: without a memory of its silence 72 times.
    expect(asked.length).toBeLessThan(50);
    await expect.poll(outboxRows).toEqual([]);
  });
});

describe('an agent whose topic does not exist', () => {
  it('costs its own runs their time; they fail with a code that names it, and nothing is left', async () => {
    const topic = `agent.gone-${randomBytes(4).toString('hex')}`;
    await addKafkaAgent('without-topic', topic);
    const theirsId = await stack.client.createWorkflow(sequence('without-topic', 'without-topic', 1));
    const alone = await timeOfMine();
    const theirs: string[] = [];
    for (let i = 0; i < 10; i++) theirs.push(await stack.client.execute(theirsId, { message: i }));
    const beside = await timeOfMine();
    // A publishing to a missing topic took the client more than a second, of everybody's.
    expect(beside).toBeLessThan(4 * alone + 10_000);

    const why = `The task is not published yet and will be: the topic "${topic}", from which agent "without-topic" takes its tasks, does not exist`;
    const [cancelled, ...others] = theirs as [string, ...string[]];
    await eventually(
      'the attempt to say what it waits for',
      () => stack.client.findSteps(cancelled),
      ([step]) => step?.error_message === why,
    );
    expect(await stack.client.findRun(cancelled)).toMatchObject({ status: 'RUNNING' });
    await stack.client.send('POST', `/api/v1/runs/${cancelled}/cancel`);
    // Their time is over.
    await stack.database.execute(
      `update outbox set retry_at = now(), refused_since = refused_since - interval '1 minute'`,
    );
    for (const runId of others) {
      const run = await stack.client.ended(runId);
      expect([run.status, run.error_code]).toEqual(['FAILED', 'AGENT_TOPIC_NOT_FOUND']);
      expect(run.error_message).toContain(
        `The topic "${topic}", from which agent "without-topic" takes its tasks`,
      );
    }
    await expect.poll(outboxRows).toEqual([]);
    expect(await stack.client.findRun(cancelled)).toMatchObject({ status: 'CANCELLED' });

    // Made too late: nobody is asked to do what nobody waits for.
    const { kafkaBrokers: brokers } = stack.environment;
    const admin = createKafka({ brokers, clientId: 'test' }).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: false });
    await eventually(
      'the topic to be there',
      () => admin.fetchTopicMetadata({ topics: [topic] }).catch(() => null),
      (seen) => seen !== null,
    );
    await admin.disconnect();
    const reader = await openTopicReader<{ run_id: string }>(brokers, topic);
    const last = await stack.client.execute(theirsId, { message: 'last' });
    await reader.when(({ value }) => value.run_id === last, 1);
    expect(reader.records.map(({ value }) => value.run_id)).toEqual([last]);
    await reader.close();
    await stack.client.send('POST', `/api/v1/runs/${last}/cancel`);
  });
});
