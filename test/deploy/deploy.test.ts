import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Emulator, startEmulator } from '../../localstack/emulator/emulator.ts';
import {
  createLocalDeployment,
  type Deployed,
  type LocalDeployment,
} from '../../localstack/emulator/local-deployment.ts';
import { findPython } from '../../localstack/emulator/python.ts';
import { removeWithLauncher } from '../../localstack/guardian.ts';
import { type RunningServers, startServers } from '../../localstack/servers.ts';
import { startTestAgents, type TestAgentServer } from '../support/agent-server.ts';
import { createRunClient, type RunClient } from '../support/run-client.ts';
import { sequence } from '../support/sequence.ts';
import { deployLambdaAgent } from './lambda-agent.ts';
import { makeRelease, type Release } from './release.ts';

const python = await findPython();
const isSkipped = python === null;
if (isSkipped)
  console.log('Skipped: the emulator of AWS needs Python 3.10 or newer with venv, which is not here');

describe.skipIf(isSkipped)('deployed to an emulator of AWS', () => {
  let folder: string;
  const output: string[] = [];
  let servers: RunningServers;
  let emulator: Emulator;
  let agents: TestAgentServer;
  let database: pg.Client;
  let deployment: LocalDeployment;
  let deployed: Deployed;
  let client: RunClient;
  let second: Release;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'stepline-test-deploy-'));
    removeWithLauncher(folder);
    chmodSync(folder, 0o755);
    const onProgress = (line: string) => process.stderr.write(`${line}\n`);
    [servers, emulator, agents] = await Promise.all([
      startServers({ dataDir: folder, onProgress }),
      startEmulator({ folder, onProgress }),
      startTestAgents(),
    ]);
    database = new pg.Client({ connectionString: servers.databaseUrl });
    await database.connect();
    const log = (source: string, line: string) => void output.push(`${source}: ${line}`);
    deployment = createLocalDeployment({ emulator, servers, folder, log });
  });
  afterAll(async () => {
    await deployment?.stop();
    await Promise.all([emulator?.stop(), agents?.close(), database?.end()]);
    await servers?.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** In the words of the release that answers. */
  async function health(): Promise<unknown> {
    return (await client.send('GET', '/health')).body;
  }

  async function appliedMigrations(): Promise<string[]> {
    const { rows } = await database.query<{ name: string }>(
      'select name from schema_migrations order by name',
    );
    return rows.map(({ name }) => name);
  }

  function migrationsOf(sources: string): string[] {
    return readdirSync(join(sources, 'shared/persistence/migrations'))
      .filter((name) => name.endsWith('.sql'))
      .sort();
  }

  async function completes(name: string): Promise<void> {
    const workflowId = await client.createWorkflow(sequence(name, 'over-http', 2));
    const runId = await client.execute(workflowId, { message: name });
    expect(await client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: name },
    });
  }

  test('a first deployment migrates, makes the first key, and answers', async () => {
    await deployment.bootstrap();
    deployed = await deployment.deploy();
    client = createRunClient(deployed.apiUrl, { 'x-api-key': deployed.apiKey });
    expect(await health()).toMatchObject({ message: 'Healthy', status: 'healthy' });
    expect(await appliedMigrations()).toEqual(migrationsOf('.'));
    expect(await client.send('GET', '/api/v1/runs', { headers: {} })).toMatchObject({ status: 401 });
  });

  test('a workflow of an agent over HTTP, a function on Node 24 and one that calls back runs to its end', async () => {
    const functionArn = await deployLambdaAgent(emulator, python ?? '', folder);
    for (const body of [
      { name: 'over-http', kind: 'http', url: agents.url('over-http') },
      { name: 'calls-back', kind: 'http', url: agents.url('calls-back') },
      { name: 'a-function', kind: 'lambda', function_arn: functionArn },
    ])
      expect(await client.send('POST', '/api/v1/agents', { body })).toMatchObject({ status: 201 });
    agents.on('calls-back', ({ body }) => ({
      callBack: { afterMs: 20, body: { called_back: body.input_data } },
    }));
    const step = (agent_name: string, next_step: string | null, message: string) => ({
      agent_name,
      next_step,
      input_mapping: { message },
    });
    const workflowId = await client.createWorkflow({
      name: 'deployed',
      start_step: 'http',
      steps: {
        http: step('over-http', 'function', '$.workflow_input.message'),
        function: step('a-function', 'callback', '$.http.output_data.message'),
        callback: step('calls-back', null, '$.function.output_data'),
      },
    });
    const runId = await client.execute(workflowId, { message: 'hello' });
    expect(await client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { called_back: { message: { message: 'hello', node: expect.stringMatching(/^v24\./) } } },
    });
    expect(
      (await client.findSteps(runId)).map(({ step_id, status, attempt }) => [step_id, status, attempt]),
    ).toEqual([
      ['http', 'COMPLETED', 1],
      ['function', 'COMPLETED', 1],
      ['callback', 'COMPLETED', 1],
    ]);
  });

  test('an update migrates before its code takes traffic, and a run that is open goes on in it', async () => {
    second = makeRelease(join(folder, 'second'));
    second.edit('functions/api/routes/health.ts', "message: 'Healthy'", "message: 'Healthy, the second'");
    second.addMigration('9001_create_greetings.sql', 'create table greetings (greeting text primary key);');
    let callbackUrl = '';
    agents.on('calls-back', ({ body }) => {
      callbackUrl = body.callback_url;
      return { status: 202 };
    });
    const workflowId = await client.createWorkflow(sequence('over-an-update', 'calls-back', 1));
    const runId = await client.execute(workflowId, { message: 'hello' });
    await expect.poll(() => callbackUrl).not.toBe('');

    deployed = await deployment.deploy(second.folder);
    expect(await health()).toMatchObject({ message: 'Healthy, the second' });
    expect(await appliedMigrations()).toEqual(migrationsOf(second.folder));
    const answer = await fetch(callbackUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'late' }),
    });
    expect(answer.status).toBe(200);
    expect(await client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'late' },
    });
    await completes('after-the-update');
  });

  test('where a migration fails the deployment fails, and the code of before goes on answering', async () => {
    const third = makeRelease(join(folder, 'third'), second.folder);
    third.edit(
      'functions/api/routes/health.ts',
      "message: 'Healthy, the second'",
      "message: 'Healthy, the third'",
    );
    third.addMigration('9002_fails.sql', 'create table left_half (id int); select 1 / 0;');
    await expect(deployment.deploy(third.folder)).rejects.toThrow(
      /9002_fails\.sql failed and is not applied/,
    );
    expect(await health()).toMatchObject({ message: 'Healthy, the second' });
    expect(await appliedMigrations()).toEqual(migrationsOf(second.folder));
    expect((await database.query("select to_regclass('left_half') as found")).rows).toEqual([
      { found: null },
    ]);
    await completes('after-the-failure');
  });

  test('what is destroyed answers no more, and leaves no function', async () => {
    await deployment.destroy();
    expect((await fetch(`${deployed.apiUrl}/health`)).status).toBe(404);
    const { url: endpoint, region, credentials } = emulator;
    const lambda = new LambdaClient({ endpoint, region, credentials });
    const { Functions } = await lambda.send(new ListFunctionsCommand({}));
    lambda.destroy();
    expect(Functions?.map(({ FunctionName }) => FunctionName)).toEqual(['deployed-agent']);
  });
});
