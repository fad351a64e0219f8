import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../localstack/free-ports.ts';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { parseExposition } from '../support/exposition.ts';
import { createRunClient } from '../support/run-client.ts';

/*
 * A developer's days with `npm run dev`, one after another on the same folder: each test goes on where the one before ended.
 */
interface DevFile {
  readonly url: string;
  readonly api_key: string;
  readonly jwt_secret: string;
  readonly database_url: string;
  readonly kafka_brokers: string;
  readonly agents: Readonly<Record<string, string>>;
  readonly pids: Readonly<Record<string, number>>;
}

let folder: string;
let port: number;
let dev: RunningCommand;
let firstRunId: string;
let firstKey: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stepline-e2e-dev-'));
  port = await freePort();
});
afterAll(async () => {
  dev?.signalGroup('SIGKILL');
  await nothingIsLeft();
  rmSync(folder, { recursive: true, force: true });
});

const npmRun = (script: string, args: readonly string[], variables: Readonly<Record<string, string>> = {}) =>
  startCommand('npm', ['run', '--silent', script, '--', '--folder', folder, ...args], variables);

async function startDev(args: readonly string[] = [], variables: Readonly<Record<string, string>> = {}) {
  dev = npmRun('dev', args, { PORT: String(port), ...variables });
  await dev.untilPrinted(/^ready /m);
}

async function nothingIsLeft(): Promise<void> {
  await eventually(
    'the end of every process',
    () => dev?.stillRunning() ?? [],
    ({ length }) => length === 0,
  );
}

const devFile = () => JSON.parse(readFileSync(join(folder, 'dev.json'), 'utf8')) as DevFile;

/** A command line as the quick start has it, but for the port. */
async function shell(commandLine: string): Promise<Record<string, unknown>> {
  const here = commandLine.replaceAll('http://localhost:8000', `http://127.0.0.1:${port}`);
  const { stdout } = await promisify(execFile)('sh', ['-c', here]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('without a stack check:integration says what to do', async () => {
  const check = npmRun('check:integration', []);
  expect(await check.exited).toBe(1);
  expect(check.output()).toBe(
    `No local stack is running: there is no ${join(folder, 'dev.json')}.
  - start one in another terminal: npm run dev
  - or name a running one: set STEPLINE_URL, STEPLINE_API_KEY, DATABASE_URL, KAFKA_BROKERS
`,
  );
});

test.each([
  ['dev', '--frsh', "Unknown option '--frsh'"],
  ['demo', '--kep', "Unknown option '--kep'"],
  ['check:integration', '--all', "Unknown option '--all'"],
  ['deploy:local', '--fresh', "Unknown option '--fresh'"],
])(
  '%s refuses an option that it does not have, and says those that it has',
  async (script, option, reason) => {
    const refused = npmRun(script, [option]);
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toMatch(new RegExp(`^${reason}.*\n\nnpm run ${script} -- `));
    expect(refused.output()).not.toContain('    at ');
  },
);

test('a variable that is wrong is said before anything is started', async () => {
  const refused = npmRun('dev', [], { PORT: String(port), JWT_RATE_LIMIT: 'gold' });
  expect(await refused.exited).toBe(1);
  expect(refused.output()).toMatch(
    /\nSet these environment variables right: JWT_RATE_LIMIT: .*"standard"\|"premium"\|"unlimited"\n$/,
  );
  expect(refused.output()).not.toContain('    at ');
});

test('npm run dev says when it is ready, and writes down for tools what runs where', async () => {
  await startDev([], { AUTH_MODE: 'anonymous' });
  expect(dev.output().match(/^ready .*$/gm)).toEqual([`ready http://127.0.0.1:${port}`]);
  const file = devFile();
  expect(file).toEqual({
    url: `http://127.0.0.1:${port}`,
    api_key: expect.stringMatching(/^sk_/),
    jwt_secret: expect.any(String),
    database_url: expect.stringMatching(
      /^postgresql:\/\/workflow_user:workflow_pass@127\.0\.0\.1:\d+\/workflow_db$/,
    ),
    kafka_brokers: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    agents: {
      'echo-agent': expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/agents\/echo-agent$/),
      'test-agent': expect.stringMatching(/\/agents\/test-agent$/),
      'data-extractor': expect.stringMatching(/\/agents\/data-extractor$/),
      'data-transformer': expect.stringMatching(/\/agents\/data-transformer$/),
      'lambda-echo-agent': 'arn:aws:lambda:us-east-1:000000000000:function:lambda-echo-agent',
    },
    pids: {
      launcher: expect.any(Number),
      postgres: expect.any(Number),
      kafka: expect.any(Number),
      agents: expect.any(Number),
      api: expect.any(Number),
      timekeeper: expect.any(Number),
      'step-executor': expect.any(Number),
      'http-bridge': expect.any(Number),
      'lambda-bridge': expect.any(Number),
      'lambda-echo-agent': expect.any(Number),
    },
  });
  const running = dev.stillRunning().map((name) => Number.parseInt(name, 10));
  expect(running).toEqual(expect.arrayContaining(Object.values(file.pids)));
  firstKey = file.api_key;
});

test('the quick start’s commands work as written', async () => {
  expect(await shell('curl -s http://localhost:8000/health')).toMatchObject({ success: true });
  const { id } = await shell(`curl -s -X POST http://localhost:8000/api/v1/workflows \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "my-test-workflow",
    "description": "My test workflow",
    "start_step": "step1",
    "steps": {
      "step1": {
        "id": "step1",
        "agent_name": "echo-agent",
        "next_step": null,
        "input_mapping": {
          "message": "$.workflow_input.message"
        }
      }
    }
  }'`);
  const execution = await shell(`curl -s -X POST http://localhost:8000/api/v1/workflows/${id}/execute \\
  -H "Content-Type: application/json" \\
  -d '{
    "input_data": {
      "message": "Hello, World!"
    }
  }'`);
  expect(execution).toMatchObject({ run_id: expect.stringMatching(/^run-/), status: 'PENDING' });
  firstRunId = execution.run_id as string;
  const run = await eventually(
    'the run',
    () => shell(`curl -s http://localhost:8000/api/v1/runs/${firstRunId}`),
    ({ status }) => status === 'COMPLETED',
  );
  expect(run).toMatchObject({ data: { output_data: { message: 'Hello, World!' } } });
  expect(await shell(`curl -s http://localhost:8000/api/v1/runs/${firstRunId}/steps`)).toMatchObject({
    data: [{ step_id: 'step1', status: 'COMPLETED', output_data: { message: 'Hello, World!' } }],
  });
  const cancelled = await shell(`curl -s -X POST http://localhost:8000/api/v1/runs/${firstRunId}/cancel \\
  -H "Content-Type: application/json" \\
  -d '{
    "reason": "Testing cancellation"
  }'`);
  expect(cancelled).toMatchObject({ success: false, details: { reason: 'RUN_CLOSED' } });
});

test('a function that was started anew is in dev.json', async () => {
  const before = devFile().pids.api as number;
  process.kill(before, 'SIGKILL');
  // Whatever invokes it next starts it.
  const api = await eventually(
    'the process that took its place',
    async () => {
      await fetch(`http://127.0.0.1:${port}/health`);
      return devFile().pids.api;
    },
    (found) => found !== undefined && found !== before,
  );
  expect(() => process.kill(api as number, 0)).not.toThrow();
});

test('an admin sees that the work gets done', async () => {
  const headers = { 'X-API-Key': devFile().api_key };
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { headers });
  await eventually(
    'deep health',
    async () => (await ask('/health?deep=true')).status,
    (status) => status === 200,
  );
  const closed = parseExposition(await (await ask('/metrics')).text()).get(
    'stepline_executions_closed_total',
  );
  expect(closed?.samples.map(({ labels, value }) => [labels.status, value])).toContainEqual(['completed', 1]);
});

test('check:integration passes, with the output that the quick start shows, again and again', async () => {
  for (let i = 0; i < 2; i++) {
    const check = npmRun('check:integration', []);
    expect(await check.exited).toBe(0);
    const words = check
      .output()
      .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<uuid>')
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}/g, '<time>')
      .replace(devFile().kafka_brokers, '<brokers>');
    expect(words).toBe(expectedOutput);
  }
});

const expectedOutput = `============================================================
API-Executor Integration Test
============================================================
Connecting to database...
✓ Database connected
Connecting to Kafka at <brokers>
✓ Kafka connected

Creating test workflow via API...
✓ Workflow created with ID: <uuid>

Triggering workflow execution...
✓ Execution request published for run_id: run-<uuid>

Monitoring execution (timeout: 120s)...
  Status: PENDING
  Status: RUNNING
  Status: COMPLETED
  Completed at: <time>

✓ Workflow completed successfully

Verifying database records...
✓ Workflow run record found:
  - run_id: run-<uuid>
  - workflow_id: wf-integration-test-workflow-1
  - status: COMPLETED
  - created_at: <time>
  - completed_at: <time>

✓ Found 1 step execution records:
  - Step step1 (test-agent): COMPLETED
    Input keys: ['test_input']
    Output keys: ['result']

✓ Database records verified

Cleaning up...
✓ Cleanup complete

============================================================
✓ INTEGRATION TEST PASSED
============================================================

The API-Executor integration is working correctly:
- Execution requests are consumed from Kafka
- Executor processes workflows
- Run status is written back to database
`;

test('a second one is refused, whether for its port or for its folder, and does no harm', async () => {
  const samePort = npmRun('dev', ['--fresh'], { PORT: String(port) });
  expect(await samePort.exited).toBe(1);
  expect(samePort.output()).toBe(
    `Port ${port}, wanted by the API, is in use.\n  - stop what listens there\n  - or set PORT to another one\n`,
  );
  const sameFolder = npmRun('dev', ['--fresh'], { PORT: String(await freePort()) });
  expect(await sameFolder.exited).toBe(1);
  const { pids } = devFile();
  expect(sameFolder.output()).toBe(
    `A stack is running on ${folder}: postgres is process ${pids.postgres}.
  - stop it, and start again
  - or start another one beside it: PORT=8001 npm run dev -- --folder .stepline/second
`,
  );
  expect(await shell(`curl -s http://localhost:8000/api/v1/runs/${firstRunId}`)).toMatchObject({
    status: 'COMPLETED',
  });
});

test('Ctrl-C ends everything, and the next start finds its data', async () => {
  dev.signalGroup('SIGINT');
  await dev.exited;
  await nothingIsLeft();
  expect(devFile).toThrow('ENOENT');

  await startDev();
  const { url, api_key } = devFile();
  expect(api_key).toBe(firstKey);
  expect((await fetch(`${url}/api/v1/runs/${firstRunId}`)).status).toBe(401);
  const { findRun } = createRunClient(url, { 'x-api-key': api_key });
  expect(await findRun(firstRunId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'Hello, World!' },
  });
});

test('SIGKILL of the launcher leaves nothing, and check:integration says that nobody answers', async () => {
  process.kill(devFile().pids.launcher as number, 'SIGKILL');
  await dev.exited;
  await nothingIsLeft();
  const check = npmRun('check:integration', []);
  expect(await check.exited).toBe(1);
  expect(check.output()).toContain(
    `No local stack is running: nobody answers at http://127.0.0.1:${port} (ECONNREFUSED).\n`,
  );
});

test('kill of npm, which tells nobody, ends everything too', async () => {
  await startDev();
  process.kill(dev.pid, 'SIGTERM');
  await nothingIsLeft();
});

test('--fresh starts empty; keys stay, and a token signed with the secret executes', async () => {
  await startDev(['--fresh']);
  const { url, api_key, jwt_secret } = devFile();
  expect(api_key).toBe(firstKey);
  const byKey = createRunClient(url, { 'x-api-key': api_key });
  expect((await byKey.send('GET', `/api/v1/runs/${firstRunId}`)).status).toBe(404);
  expect((await byKey.send('GET', '/api/v1/workflows')).body).toMatchObject({ data: [] });

  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('bob')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(jwt_secret));
  const byToken = createRunClient(url, { authorization: `Bearer ${token}` });
  const workflowId = await byToken.createWorkflow({
    name: 'by-token',
    start_step: 'only',
    steps: {
      only: {
        agent_name: 'echo-agent',
        next_step: 'function',
        input_mapping: { message: '$.workflow_input.message' },
      },
      function: {
        agent_name: 'lambda-echo-agent',
        input_mapping: { message: '$.only.output_data.message' },
      },
    },
  });
  const runId = await byToken.execute(workflowId, { message: 'fresh' });
  expect((await byToken.ended(runId)).output_data).toEqual({ message: 'fresh' });
});
