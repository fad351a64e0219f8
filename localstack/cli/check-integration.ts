import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createProducer } from '../../shared/kafka/producer.ts';
import { type Database, openDatabase } from '../../shared/persistence/database.ts';
import { type ApiClient, apiClient } from '../api-client.ts';
import { projectFolder } from '../project-folder.ts';
import {
  findStepRecords,
  maybeFindRunRecord,
  type RunRecord,
  removeRunRecords,
} from './integration-records.ts';
import { isUsageError } from './run-command.ts';
import { checkAnswers, findRunningStack, NoStackError, type StackAddresses } from './running-stack.ts';

/*
 * The quick start's integration test, against a running stack: API, Kafka, executor, bridge and agent as they are, and the
 * records in the database as any other reader of it sees them.
 */
const usage = `npm run check:integration -- [--folder path]

  --folder  the one that npm run dev was given, instead of .stepline

STEPLINE_URL, STEPLINE_API_KEY, DATABASE_URL and KAFKA_BROKERS together name a stack that runs elsewhere.`;

const TIMEOUT_MS = 120_000;
const rule = '='.repeat(60);
const definition = {
  name: 'integration-test-workflow',
  description: 'Made by npm run check:integration, which removes it again',
  start_step: 'step1',
  steps: {
    step1: {
      id: 'step1',
      agent_name: 'test-agent',
      next_step: null,
      input_mapping: { test_input: '$.workflow_input.test_value' },
    },
  },
};

class CheckFailed extends Error {
  readonly code = 'CHECK_FAILED';
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { folder: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return console.log(usage);
  const stack = findRunningStack(values.folder ?? join(projectFolder, '.stepline'), process.env);
  await checkAnswers(stack);
  say(rule, 'API-Executor Integration Test', rule);
  const database = openDatabase({ url: stack.databaseUrl });
  try {
    await connect(stack, database);
    await check(apiClient(stack.url, stack.apiKey), database);
  } finally {
    await database.close();
  }
  say(
    '',
    rule,
    '✓ INTEGRATION TEST PASSED',
    rule,
    '',
    'The API-Executor integration is working correctly:',
    '- Execution requests are consumed from Kafka',
    '- Executor processes workflows',
    '- Run status is written back to database',
  );
}

async function connect({ kafkaBrokers }: StackAddresses, database: Database): Promise<void> {
  say('Connecting to database...');
  await database.one('select 1 as one').catch((cause: Error) => {
    throw new CheckFailed(`The database does not answer: ${cause.message}`, { cause });
  });
  say('✓ Database connected', `Connecting to Kafka at ${kafkaBrokers}`);
  const producer = createProducer({ brokers: kafkaBrokers.split(','), clientId: 'check-integration' });
  try {
    await producer.check(10_000);
  } finally {
    await producer.close();
  }
  say('✓ Kafka connected');
}

async function check(api: ApiClient, database: Database): Promise<void> {
  say('', 'Creating test workflow via API...');
  const { id: workflowId } = await api.post<{ id: string }>('/api/v1/workflows', definition);
  say(`✓ Workflow created with ID: ${workflowId}`);

  say('', 'Triggering workflow execution...');
  const execution = await api.post<{ run_id: string }>(`/api/v1/workflows/${workflowId}/execute`, {
    input_data: { test_value: 'integration test' },
  });
  const runId = execution.run_id;
  say(`✓ Execution request published for run_id: ${runId}`);

  say('', `Monitoring execution (timeout: ${TIMEOUT_MS / 1_000}s)...`);
  const run = await follow(database, runId);
  if (run.status !== 'COMPLETED') throw new CheckFailed(`The run ended ${run.status}: ${run.error_message}`);
  say(`  Completed at: ${run.completed_at}`, '', '✓ Workflow completed successfully');

  say('', 'Verifying database records...');
  await verifyRecords(database, run);
  say('', '✓ Database records verified');

  say('', 'Cleaning up...');
  if (!(await removeRunRecords(database, { runId, workflowId })))
    await api.delete(`/api/v1/workflows/${workflowId}`);
  say('✓ Cleanup complete');
}

/** Says each status of the run as it comes, until the run has ended. */
async function follow(database: Database, runId: string): Promise<RunRecord> {
  const giveUpAt = performance.now() + TIMEOUT_MS;
  let said = 0;
  for (;;) {
    const run = await maybeFindRunRecord(database, runId);
    if (run === null) throw new CheckFailed(`There is no row of run ${runId} in workflow_runs`);
    const statuses = statusesOf(run);
    for (const status of statuses.slice(said)) say(`  Status: ${status}`);
    said = statuses.length;
    if (!['PENDING', 'RUNNING'].includes(run.status)) return run;
    if (performance.now() > giveUpAt) {
      const note = run.error_message === null ? '' : ` (${run.error_message})`;
      throw new CheckFailed(`The run is still ${run.status} after ${TIMEOUT_MS / 1_000} s${note}`);
    }
    await sleep(20);
  }
}

/** A quick run leaves a status between two looks; its row says that it was there. */
function statusesOf({ status, has_started }: RunRecord): string[] {
  const passed = ['PENDING', ...(has_started ? ['RUNNING'] : [])];
  return passed.includes(status) ? passed : [...passed, status];
}

async function verifyRecords(database: Database, run: RunRecord): Promise<void> {
  say(
    '✓ Workflow run record found:',
    `  - run_id: ${run.run_id}`,
    `  - workflow_id: ${run.workflow_id}`,
    `  - status: ${run.status}`,
    `  - created_at: ${run.created_at}`,
    `  - completed_at: ${run.completed_at}`,
  );
  const steps = await findStepRecords(database, run.run_id);
  say('', `✓ Found ${steps.length} step execution records:`);
  for (const { step_id, agent_name, status, input_data, output_data } of steps) {
    say(
      `  - Step ${step_id} (${agent_name}): ${status}`,
      `    Input keys: ${keysOf(input_data)}`,
      `    Output keys: ${keysOf(output_data)}`,
    );
  }
  const [step, ...others] = steps;
  if (step?.status !== 'COMPLETED' || others.length > 0)
    throw new CheckFailed('Expected one step execution record, COMPLETED');
}

function keysOf(data: unknown): string {
  const keys = typeof data === 'object' && data !== null ? Object.keys(data) : [];
  return `[${keys.map((key) => `'${key}'`).join(', ')}]`;
}

function say(...lines: string[]): void {
  for (const line of lines) console.log(line);
}

main().catch((error: unknown) => {
  process.exitCode = 1;
  if (error instanceof NoStackError) return console.error(error.message);
  if (isUsageError(error)) return console.error(`${error.message}\n\n${usage}`);
  const reason = error instanceof Error && 'code' in error ? error.message : error;
  console.error('\n✗', reason);
  console.error(
    ['What was made is kept for a look.', '', rule, '✗ INTEGRATION TEST FAILED', rule].join('\n'),
  );
});
