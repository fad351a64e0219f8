import { ConfigResourceTypes } from 'kafkajs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { eventually } from '../../support/eventually.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

/* A topic may compress what nobody did: whatever a run's records are compressed with, it ends. */

const admin = createKafka({ brokers: [inject('kafkaBrokers')], clientId: 'compressed' }).admin();
let stack: RunStack;
let workflowId: string;
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  await admin.connect();
  await stack.addAgent('worker');
  workflowId = await stack.client.createWorkflow(sequence('compressed', 'worker', 2));
});
afterAll(async () => {
  await admin.disconnect();
  await stack?.close();
});

async function compressTopics(codec: string): Promise<void> {
  const names = Object.values(stack.environment.topics);
  await admin.alterConfigs({
    validateOnly: false,
    resources: names.map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configEntries: [{ name: 'compression.type', value: codec }],
    })),
  });
  await eventually(
    `${codec} for every topic`,
    () =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: names.map((name) => ({
          type: ConfigResourceTypes.TOPIC,
          name,
          configNames: ['compression.type'],
        })),
      }),
    ({ resources }) =>
      resources.every(({ configEntries }) => configEntries.every(({ configValue }) => configValue === codec)),
  );
}

test.each(['snappy', 'lz4', 'zstd', 'gzip'])('a run over topics of %s is completed', async (codec) => {
  await compressTopics(codec);
  const input = { message: 'tell '.repeat(200) };
  const runId = await stack.client.execute(workflowId, input);
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: input });
});
