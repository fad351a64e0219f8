import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from 'aws-lambda';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { openHttpBridge } from '../../../functions/http-bridge/open-http-bridge.ts';
import { createSelfInvoker } from '../../../shared/agent-bridge/invoke-self.ts';
import type { OpenAgentBridge } from '../../../shared/agent-bridge/open-agent-bridge.ts';
import { encryptSecret, generateSecret } from '../../../shared/agents/secrets.ts';
import { createTokens } from '../../../shared/agents/tokens.ts';
import { type Environment, readEnvironment } from '../../../shared/config/environment.ts';
import { createKafka } from '../../../shared/kafka/client.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';
import type { MskEvent } from '../../../shared/kafka/msk-event.ts';
import type { AgentResult, AgentTask } from '../../../shared/messages/messages.ts';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import { migrate } from '../../../shared/persistence/migrate.ts';
import { startTestAgents, type TestAgentServer } from '../../support/agent-server.ts';

const name = `http_bridge_${randomUUID().replaceAll('-', '')}`;
const secretKey = Buffer.alloc(32, 3);
const tokens = createTokens(secretKey);
const invocation = { remainingMs: () => 840_000 };
const results: AgentResult[] = [];
const closers: (() => Promise<unknown>)[] = [];
let variables: Record<string, string>;
let environment: Environment;
let database: Database;
let agents: TestAgentServer;
let opened: OpenAgentBridge;

beforeAll(async () => {
  const admin = new pg.Client({ connectionString: inject('databaseUrl') });
  await admin.connect();
  await admin.query(`create database ${name}`);
  closers.push(async () => {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  });
  const url = new URL(inject('databaseUrl'));
  url.pathname = name;
  variables = {
    DATABASE_URL: url.href,
    KAFKA_BROKERS: inject('kafkaBrokers'),
    KAFKA_TOPIC_PREFIX: `${name}.`,
    STEPLINE_SECRET_KEY: secretKey.toString('base64'),
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    PUBLIC_URL: 'https://stepline.test/',
  };
  environment = readEnvironment(variables);
  const kafka = { brokers: environment.kafkaBrokers, clientId: name };
  const { topics } = environment;
  await Promise.all([
    migrate(url.href),
    createTopics(kafka, [topics.results, topics.deadLetter], { partitions: 2, replicationFactor: 1 }),
  ]);
  database = openDatabase({ url: url.href, maxConnections: 2 });
  agents = await startTestAgents();
  opened = openHttpBridge(environment, { functionName: null, warn: () => {} });
  const consumer = createKafka(kafka).consumer({ groupId: name });
  await consumer.connect();
  await consumer.subscribe({ topic: topics.results, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) =>
      void results.push(JSON.parse(message.value!.toString()) as AgentResult),
  });
  closers.push(
    () => database.close(),
    () => agents.close(),
    () => opened.close(),
    () => consumer.disconnect(),
  );
});

afterAll(async () => {
  for (const close of closers.toReversed()) await close();
});

/** A running attempt of an agent with a secret, as the step-executor commits it, and its task. */
async function addTask(agent: string, timeoutMs: number | null = null): Promise<AgentTask> {
  const id = randomUUID();
  const runId = `run-${randomUUID()}`;
  await database.execute(
    `insert into agents (id, name, kind, address, secret_encrypted) values ($1, $2, 'http', $3, $4)
     on conflict (name, owner) do nothing`,
    [randomUUID(), agent, agents.url(agent), encryptSecret(secretKey, 'whsec_c2VjcmV0')],
  );
  await database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, status) values ($1, 'w', 'w', 'RUNNING')`,
    [runId],
  );
  await database.execute(
    `insert into step_executions (id, step_execution_id, run_id, step_id, step_name, agent_name, status, timeout_ms)
     values ($1::uuid, $1::text, $2, 's', 's', $3, 'RUNNING', $4)`,
    [id, runId, agent, timeoutMs],
  );
  return {
    message_type: 'agent_task',
    run_id: runId,
    step_execution_id: id,
    step_id: 's',
    agent_name: agent,
    attempt: 1,
    input_data: { n: 1 },
    idempotency_key: `${runId}:s:1`,
    deadline: new Date(Date.now() + 3_600_000).toISOString(),
    result_token: tokens.resultToken(id),
    timestamp: new Date().toISOString(),
  };
}

function eventOf(tasks: readonly AgentTask[]): MskEvent {
  const records = tasks.map((task, offset) => ({
    topic: environment.topics.httpTasks,
    partition: 0,
    offset,
    timestamp: 0,
    timestampType: 'CREATE_TIME',
    key: null,
    value: Buffer.from(JSON.stringify(task)).toString('base64'),
    headers: [],
  }));
  return { eventSource: 'aws:kafka', records: { [`${environment.topics.httpTasks}-0`]: records } };
}

const resultOf = (task: AgentTask) =>
  vi.waitUntil(() => results.find((result) => result.step_execution_id === task.step_execution_id), {
    timeout: 60_000,
    interval: 10,
  });

describe('the bridge on a real database, broker and sockets', () => {
  it('calls the agent and publishes its answer', async () => {
    agents.on('doubles', ({ body }) => ({ body: { doubled: (body.input_data as { n: number }).n * 2 } }));
    const tasks = await Promise.all(Array.from({ length: 20 }, () => addTask('doubles')));
    await opened.bridge.handleRecords(eventOf(tasks), invocation);
    for (const task of tasks) {
      expect(await resultOf(task)).toMatchObject({
        message_type: 'agent_result',
        run_id: task.run_id,
        status: 'completed',
        output_data: { doubled: 2 },
        result_token: task.result_token,
      });
    }
    expect(agents.callsOf('doubles')).toHaveLength(20);
    const [call] = agents.callsOf('doubles');
    expect(call?.headers['webhook-signature']).toMatch(/^v1,/);
    expect(call?.body.callback_url).toBe(
      `https://stepline.test/api/v1/callbacks/${call?.body.step_execution_id}/${tokens.callbackToken(call!.body.step_execution_id)}`,
    );
  });

  it('sends one message, however many attempts it takes, and signs it with either secret while two are valid', async () => {
    const secret = generateSecret();
    const [first, other] = [await addTask('signed'), await addTask('signed')];
    await database.execute(
      `update agents set previous_secret_encrypted = secret_encrypted, secret_encrypted = $1,
              previous_secret_until = now() + interval '1 hour' where name = 'signed'`,
      [encryptSecret(secretKey, secret)],
    );
    const second = { ...(await addTask('signed')), attempt: 2, idempotency_key: first.idempotency_key };
    await opened.bridge.handleRecords(eventOf([first, other, second]), invocation);
    for (const task of [first, other, second])
      expect(await resultOf(task)).toMatchObject({ status: 'completed' });
    const callOf = (task: AgentTask) =>
      agents.callsOf('signed').find(({ body }) => body.step_execution_id === task.step_execution_id)!;
    const idOf = (task: AgentTask) => callOf(task).headers['webhook-id'];
    expect(idOf(second)).toBe(idOf(first));
    expect(idOf(other)).not.toBe(idOf(first));
    for (const one of [secret, 'whsec_c2VjcmV0']) {
      const { body, headers } = callOf(second);
      const verified = new Webhook(one).verify(JSON.stringify(body), headers as Record<string, string>);
      expect(verified).toEqual(body);
    }
  });

  it('does not call a user’s own agent inside the network, where everybody’s may be', async () => {
    const task = await addTask('insiders');
    await database.execute(`update agents set owner = 'ann' where name = 'insiders'`);
    await database.execute(`update workflow_runs set owner = 'ann' where run_id = $1`, [task.run_id]);
    await opened.bridge.handleRecords(eventOf([task]), invocation);
    expect(await resultOf(task)).toMatchObject({
      error: {
        code: 'AGENT_ADDRESS_REFUSED',
        message: expect.stringContaining('USER_AGENT_ALLOWED_CIDRS'),
        retryable: false,
      },
    });
    expect(agents.callsOf('insiders')).toEqual([]);
  });

  it.each([
    ['kafka', 'workflow.cancellation.requests', 'expected to start with agent.'],
    ['lambda', 'step-executor:live', 'one of Stepline'],
  ])('fails the step of a %s agent that is not where agents may be', async (kind, address, problem) => {
    const task = await addTask(`misplaced-${kind}`);
    await database.execute('update agents set kind = $1, address = $2 where name = $3', [
      kind,
      address,
      `misplaced-${kind}`,
    ]);
    await opened.bridge.handleRecords(eventOf([task]), invocation);
    expect(await resultOf(task)).toMatchObject({
      error: { code: 'AGENT_ADDRESS_REFUSED', message: expect.stringContaining(problem), retryable: false },
    });
  });

  it('keeps an accepted attempt open for its time, and does not call its agent again', async () => {
    agents.on('accepts', () => ({ status: 202 }));
    const task = await addTask('accepts', 30_000);
    await opened.bridge.handleRecords(eventOf([task]), invocation);
    const row = await database.one<{ accepted: boolean; in_s: number }>(
      `select accepted_at is not null as accepted, extract(epoch from deadline_at - now())::int as in_s
         from step_executions where step_execution_id = $1 and wake_at = deadline_at`,
      [task.step_execution_id],
    );
    expect(row.accepted).toBe(true);
    expect(row.in_s).toBeGreaterThan(0);
    expect(row.in_s).toBeLessThanOrEqual(30);
    await opened.bridge.handleRecords(eventOf([task]), invocation);
    expect(agents.callsOf('accepts')).toHaveLength(1);
  });

  it('fails the attempt when its time is over, whatever the agent still does', async () => {
    agents.on('hangs', () => ({ delayMs: 3_000 }));
    const task = await addTask('hangs', 100);
    await opened.bridge.handleRecords(eventOf([task]), invocation);
    expect(await resultOf(task)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT', retryable: true },
    });
  });

  it('does not call an agent inside the network where that is not allowed', async () => {
    const guarded = openHttpBridge(readEnvironment({ ...variables, AGENT_ALLOWED_CIDRS: '' }), {
      functionName: null,
      warn: () => {},
    });
    closers.push(() => guarded.close());
    const task = await addTask('inside');
    await guarded.bridge.handleRecords(eventOf([task]), invocation);
    expect(await resultOf(task)).toMatchObject({
      error: { code: 'AGENT_ADDRESS_REFUSED', retryable: false },
    });
    expect(agents.callsOf('inside')).toEqual([]);
  });
});

describe('the function', () => {
  it('takes batches and handed tasks, and hands long ones to itself through the Lambda API', async () => {
    const invoked: { url: string | undefined; type: unknown; body: string }[] = [];
    const lambda = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const type = request.headers['x-amz-invocation-type'];
      invoked.push({ url: request.url, type, body: Buffer.concat(chunks).toString() });
      response.writeHead(202).end();
    });
    await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
    closers.push(async () => lambda.close());
    const endpoint = `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`;
    const aws = {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'eu-west-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    };
    for (const [key, value] of Object.entries({ ...variables, ...aws })) vi.stubEnv(key, value);
    const { handler } = await import('../../../functions/http-bridge/index.ts');
    const context = {
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:stepline-http-bridge:live',
      getRemainingTimeInMillis: () => 840_000,
    } as Context;

    const task = await addTask('long', 300_000);
    await handler(eventOf([task]), context);
    expect(invoked).toEqual([
      {
        url: `/2015-03-31/functions/${encodeURIComponent('arn:aws:lambda:us-east-1:000000000000:function:stepline-http-bridge:live')}/invocations`,
        type: 'Event',
        body: JSON.stringify({ handed_tasks: [task] }),
      },
    ]);
    expect(agents.callsOf('long')).toEqual([]);

    await handler(JSON.parse(invoked[0]!.body), context);
    expect(await resultOf(task)).toMatchObject({ status: 'completed', output_data: { n: 1 } });
    vi.unstubAllEnvs();
  });

  it('that cannot be invoked says so', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1');
    for (const key of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(key, 'test');
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    await expect(createSelfInvoker('x')({ handed_tasks: [] })).rejects.toThrow();
    vi.unstubAllEnvs();
  });
});
