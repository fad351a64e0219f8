import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKafka } from '../../../shared/kafka/client.ts';
import { startTestAgents, type TestAgentServer } from '../../support/agent-server.ts';
import { type DeployedStack, secretOf, startDeployedStack } from '../../support/deployed-stack.ts';
import { eventually } from '../../support/eventually.ts';
import { sequence } from '../../support/sequence.ts';

let deployed: DeployedStack;
let agents: TestAgentServer;
beforeAll(async () => {
  [deployed, agents] = await Promise.all([
    startDeployedStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') }),
    startTestAgents(),
  ]);
  // Synthesises and bundles.
}, 600_000);
afterAll(async () => {
  await deployed?.close();
  await agents?.close();
});

async function registerAgent(name: string): Promise<void> {
  const body = { name, kind: 'http', url: agents.url(name) };
  expect(await deployed.client.send('POST', '/api/v1/agents', { body })).toMatchObject({ status: 201 });
}

test('a workflow runs to its end in the bundles, with the template’s environment and mappings', async () => {
  await registerAgent('bundled');
  const workflowId = await deployed.client.createWorkflow(sequence('bundled', 'bundled', 3));
  const runId = await deployed.client.execute(workflowId, { message: 'from the bundles' });
  expect(await deployed.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'from the bundles' },
  });
  const steps = await deployed.client.findSteps(runId);
  expect(steps.map(({ step_id, status }) => [step_id, status])).toEqual([
    ['s1', 'COMPLETED'],
    ['s2', 'COMPLETED'],
    ['s3', 'COMPLETED'],
  ]);
});

test('a retry waits for the timekeeper, and an answer comes by the callback', async () => {
  await registerAgent('flaky');
  agents.on('flaky', ({ body, count }) =>
    count === 1
      ? { status: 503 }
      : { status: 202, callBack: { afterMs: 50, body: { called_back: body.input_data } } },
  );
  const retry = { max_attempts: 2, initial_interval_ms: 100, backoff_rate: 1, jitter: 'none' };
  const workflowId = await deployed.client.createWorkflow(sequence('flaky', 'flaky', 1, { retry }));
  const runId = await deployed.client.execute(workflowId, { message: 'again' });
  expect(await deployed.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { called_back: { message: 'again' } },
  });
});

test('every kind of step runs with the rights of the functions’ own users', async () => {
  await registerAgent('picky');
  agents.on('picky', ({ body }) =>
    JSON.stringify(body.input_data).includes('bad')
      ? { status: 400, body: { code: 'BAD_ITEM', message: 'No' } }
      : { body: body.input_data },
  );
  const { createWorkflow, execute, send, ended } = deployed.client;
  await createWorkflow(sequence('picky-child', 'picky', 1));
  const branch = (name: string, step: object) => ({ start_step: name, steps: { [name]: step } });
  const workflowId = await createWorkflow({
    name: 'every-kind',
    start_step: 'kept',
    steps: {
      kept: { type: 'pass', result: 1, assign: { kept: '$.workflow_input.message' }, next_step: 'choose' },
      choose: {
        type: 'choice',
        choices: [{ variable: '$.variables.kept', is_present: true, next_step: 'each' }],
      },
      each: {
        type: 'map',
        items: '$.workflow_input.items',
        start_step: 'one',
        steps: { one: { agent_name: 'picky', retry: [], input_mapping: { item: '$.item' } } },
        tolerated_failures: 1,
        next_step: 'branches',
      },
      branches: {
        type: 'parallel',
        branches: {
          nested: branch('nested-run', {
            type: 'workflow',
            workflow_name: 'picky-child',
            input_mapping: { message: '$.variables.kept' },
          }),
          waiting: branch('a-moment', { type: 'wait', seconds: 0.1 }),
          asked: branch('answer', { type: 'signal', signal: 'approved' }),
        },
        next_step: 'fails',
      },
      fails: {
        agent_name: 'picky',
        retry: [],
        input_mapping: { item: 'bad' },
        catch: [{ next_step: 'caught' }],
      },
      caught: {
        type: 'pass',
        result: ['$.error.code', '$.each.output_data', '$.branches.output_data.nested'],
      },
    },
  });
  const runId = await execute(workflowId, { message: 'x', items: ['good', 'bad'] });
  const signal = { payload: { by: 'ann' }, id: 'approval-1' };
  const signalled = await send('POST', `/api/v1/runs/${runId}/signals/approved`, { body: signal });
  expect(signalled.status).toBeLessThan(300);
  expect(await ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: ['BAD_ITEM', [{ item: 'good' }, null], { message: 'x' }],
  });
  expect(deployed.output.filter((line) => line.includes('permission denied'))).toEqual([]);
});

test('what the timekeeper does in between is its user’s right', async () => {
  const { rows } = await deployed.database.query<{ allowed: boolean }>(
    "select ticked_at > now() - interval '1 minute' as allowed from timekeeper_tick",
  );
  expect(rows).toEqual([{ allowed: true }]);
  const failed = /stays until the next minute|were not read|is not recorded|will be tried again/;
  // A busy broker that answers too late is no matter of rights.
  expect(deployed.output.filter((line) => failed.test(line) && !line.includes('Kafka'))).toEqual([]);
});

test('a record that cannot be read is a dead letter, counted by the function that got it', async () => {
  const prefix = deployed.functions.find(({ env }) => env?.KAFKA_TOPIC_PREFIX)?.env?.KAFKA_TOPIC_PREFIX ?? '';
  const topics = ['orchestrator.tasks.http', 'orchestrator.tasks.lambda', 'workflow.step.requests'];
  const producer = createKafka({ brokers: [inject('kafkaBrokers')], clientId: 'bundles' }).producer();
  await producer.connect();
  for (const topic of topics)
    await producer.send({ topic: prefix + topic, messages: [{ value: 'not JSON' }] });
  await producer.disconnect();
  const read = async () =>
    (await deployed.database.query('select topic, letters::int from dead_letter_counts order by topic')).rows;
  await eventually('the dead letters', read, (rows) => rows.length === topics.length);
  expect(await read()).toEqual(topics.map((topic) => ({ topic: prefix + topic, letters: 1 })));
  expect(deployed.output.filter((line) => line.includes('permission denied'))).toEqual([]);
});

test('the API does the rest with no more rights than its own user has', async () => {
  await registerAgent('slow');
  agents.on('slow', () => ({ delayMs: 60_000 }));
  const { send, createWorkflow } = deployed.client;
  const workflowId = await createWorkflow(sequence('slow', 'slow', 1));
  const started = await send<{ run_id: string }>('POST', `/api/v1/workflows/${workflowId}/execute`, {
    body: { variables: { message: 'x' }, community_id: 7 },
  });
  const runId = started.body.run_id;
  // Its connections to Kafka are there: on a busy machine the first ones come too late for a check.
  await eventually(
    'deep health',
    () => send('GET', '/health?deep=true'),
    ({ status }) => status === 200,
  );
  const asked: [method: string, path: string, body?: object][] = [
    ['GET', '/health'],
    ['GET', '/health?deep=true'],
    ['GET', '/metrics'],
    ['GET', '/openapi.json'],
    ['GET', '/api/v1/workflows'],
    ['PUT', `/api/v1/workflows/${workflowId}`, sequence('slow', 'slow', 2)],
    ['GET', `/api/v1/workflows/${workflowId}/executions?community_id=7`],
    [
      'POST',
      `/api/v1/workflows/${workflowId}/permissions`,
      { user_id: 'u-42', can_view: true, can_execute: true },
    ],
    ['GET', `/api/v1/workflows/${workflowId}/permissions`],
    ['POST', '/api/v1/api-keys', { name: 'another', user_id: 'u-42' }],
    ['GET', '/api/v1/api-keys'],
    ['GET', '/api/v1/agents'],
    ['GET', '/api/v1/runs'],
    ['GET', '/api/v1/runs?q=not%20there'],
    ['GET', `/api/v1/workflows/${workflowId}/metrics`],
    ['POST', `/api/v1/workflows/${workflowId}/test`, { variables: { message: 'x' }, community_id: 7 }],
    ['POST', `/api/v1/workflows/${workflowId}/pause`],
    ['POST', `/api/v1/workflows/${workflowId}/resume`],
    ['POST', `/api/v1/runs/${runId}/pause`],
    ['POST', `/api/v1/runs/${runId}/resume`],
    ['GET', '/api/v1/audit'],
    ['POST', `/api/v1/runs/${runId}/cancel`, { reason: 'not needed' }],
    ['POST', `/api/v1/runs/${runId}/retry`],
    ['POST', '/api/v1/runs/bulk-cancel', { filter: { status: 'PENDING' } }],
  ];
  const refused: unknown[] = [];
  for (const [method, path, body] of asked) {
    const answer = await send(method, path, { body });
    if (answer.status >= 300) refused.push([method, path, answer]);
  }
  expect(refused).toEqual([]);
  expect(deployed.output.filter((line) => line.includes('permission denied'))).toEqual([]);
});

test('the first administrator’s key is made once, and the database knows its hash only', async () => {
  const before = secretOf(deployed.secrets, 'AdminKey');
  expect(JSON.parse(before)).toEqual({ api_key: expect.stringMatching(/^sk_[\w-]{43}$/) });
  expect(await deployed.migrate()).toEqual({ applied: [] });
  expect(secretOf(deployed.secrets, 'AdminKey')).toBe(before);
  const { rows } = await deployed.database.query(
    "select count(*)::int as keys from api_keys where user_id = 'admin'",
  );
  expect(rows).toEqual([{ keys: 1 }]);
});

test('no function gets a secret in its environment, and each reads its own once', () => {
  const values = [...deployed.secrets.values.values()];
  const given = deployed.functions.flatMap(({ env = {} }) => Object.values(env));
  expect(given.filter((value) => values.includes(value))).toEqual([]);
  const ask = (name: string) =>
    Object.keys(deployed.functions.find((each) => each.name.endsWith(`-${name}`))?.env ?? {}).filter((each) =>
      each.endsWith('_ARN'),
    );
  expect(ask('timekeeper')).toEqual([]);
  expect(ask('step-executor')).toEqual(['STEPLINE_SECRET_KEY_ARN']);
  expect(ask('migrate')).toEqual(['ADMIN_KEY_ARN']);
});
