import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { startTestAgents, type TestAgentServer } from '../../support/agent-server.ts';
import { startCommand } from '../../support/command.ts';
import { type DeployedStack, startDeployedStack } from '../../support/deployed-stack.ts';
import { eventually } from '../../support/eventually.ts';
import { sequence } from '../../support/sequence.ts';

/* `npm run redrive`, as one types it, against functions as they are deployed. */

const kafka = createKafka({ brokers: [inject('kafkaBrokers')], clientId: 'redrive-test' });
const producer = kafka.producer();
const admin = kafka.admin();
let deployed: DeployedStack;
let agents: TestAgentServer;
let prefix: string;
beforeAll(async () => {
  [deployed, agents] = await Promise.all([
    startDeployedStack({
      databaseUrl: inject('databaseUrl'),
      kafkaBrokers: inject('kafkaBrokers'),
      maximumRetryAttempts: 3,
    }),
    startTestAgents(),
    producer.connect(),
    admin.connect(),
  ]);
  prefix = deployed.functions.find(({ env }) => env?.KAFKA_TOPIC_PREFIX)?.env?.KAFKA_TOPIC_PREFIX ?? '';
  // Synthesises and bundles.
}, 240_000);
afterAll(async () => {
  await Promise.all([deployed?.close(), agents?.close(), producer.disconnect(), admin.disconnect()]);
});

interface Redriven {
  readonly seen: number;
  readonly redriven: number;
  readonly complete: boolean;
  readonly left: readonly string[];
}

async function redrive(...args: string[]): Promise<Redriven> {
  const command = startCommand('npm', ['run', '--silent', 'redrive', '--', '--env', 'local', ...args], {
    AWS_ENDPOINT_URL_LAMBDA: deployed.stack.lambdaUrl,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  expect([await command.exited, command.output()]).toEqual([0, expect.stringMatching(/^{"seen":/)]);
  return JSON.parse(command.output());
}

async function recordsIn(topic: string): Promise<number> {
  const partitions = await admin.fetchTopicOffsets(prefix + topic);
  return partitions.reduce((sum, { high }) => sum + Number(high), 0);
}

const recordsAre = (topic: string, count: number) =>
  eventually(
    `${count} records in ${topic}`,
    () => recordsIn(topic),
    (found) => found === count,
    30_000,
  );

async function createWorkflow(name: string): Promise<string> {
  const body = { name, kind: 'http', url: agents.url(name) };
  expect(await deployed.client.send('POST', '/api/v1/agents', { body })).toMatchObject({ status: 201 });
  return deployed.client.createWorkflow(sequence(name, name, 1));
}

test('dead letters: a request that came before its run is executed, and what nobody can read is one again', async () => {
  const workflowId = await createWorkflow('early');
  const runId = `run-${randomUUID()}`;
  const { rows } = await deployed.database.query(
    'select definition from workflow_versions where workflow_id = $1',
    [workflowId],
  );
  const request = {
    run_id: runId,
    workflow_id: 'wf-early-1',
    workflow_plan: rows[0].definition,
    input_data: { message: 'early' },
    timestamp: new Date().toISOString(),
    message_type: 'execution_request',
  };
  const topic = `${prefix}workflow.execution.requests`;
  await producer.send({
    topic,
    messages: [{ key: runId, value: JSON.stringify(request) }, { value: 'not JSON' }],
  });
  await recordsAre('workflow.dead-letter', 2);
  // The producer makes up for what it had left out.
  await deployed.database.query(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, input_data)
     values ($1, 'wf-early-1', 'early', $2, 'PENDING', '{"message": "early"}')`,
    [runId, workflowId],
  );

  const asked = ['--from', 'dead-letter'];
  expect(await redrive(...asked, '--dry-run')).toEqual({ seen: 2, redriven: 2, complete: true, left: [] });
  expect(await redrive(...asked)).toEqual({ seen: 2, redriven: 2, complete: true, left: [] });
  expect(await deployed.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'early' },
  });
  await recordsAre('workflow.dead-letter', 3);
});

test('given up: what a mapping had no more attempts for is executed once the fault is mended', async () => {
  const workflowId = await createWorkflow('given-up');
  await deployed.database.query('revoke select, update on workflow_runs from stepline_step_executor');
  const runId = await deployed.client.execute(workflowId, { message: 'late' });
  await recordsAre('workflow.on-failure', 1);
  expect(await deployed.client.findRun(runId)).toMatchObject({ status: 'PENDING' });
  await deployed.database.query('grant select, update on workflow_runs to stepline_step_executor');

  expect(await redrive('--from', 'on-failure')).toEqual({ seen: 1, redriven: 1, complete: true, left: [] });
  expect(await deployed.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'late' },
  });
  expect(await redrive('--from', 'on-failure')).toEqual({ seen: 0, redriven: 0, complete: true, left: [] });
});

test('what is asked wrongly is answered with how to ask', async () => {
  const command = startCommand('npm', ['run', '--silent', 'redrive', '--', '--from', 'nowhere']);
  expect(await command.exited).toBe(1);
  expect(command.output()).toMatch(
    /^--from: expected on-failure or dead-letter, but it is nowhere\n\nnpm run redrive/,
  );
});
