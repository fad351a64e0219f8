import { appendFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import {
  type ApiClient,
  apiClient,
  getRun,
  getSteps,
  type RunAnswer,
  type StepAnswer,
} from '../api-client.ts';
import { type LocalStack, startLocalStack } from '../local-stack.ts';
import { projectFolder } from '../project-folder.ts';
import { StartError } from '../start-error.ts';
import { dataPipeline } from './data-pipeline.ts';
import { endOnSignal } from './end-on-signal.ts';
import { makeOwnFolder } from './own-folder.ts';
import { runCommand } from './run-command.ts';
import { formatTable } from './table.ts';

const usage = `npm run demo -- [--keep] [--folder path]

  --keep    leave the stack up, until Ctrl-C
  --folder  where a folder is made for the data, and removed at the end, instead of .stepline

The demo's servers are its own, whatever DATABASE_URL and KAFKA_BROKERS name; \`npm run dev\` uses those.`;

const TIMEOUT_MS = 60_000;
let logFile = '';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { keep: { type: 'boolean' }, folder: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) return console.log(usage);
  const parent = resolve(values.folder ?? join(projectFolder, '.stepline'));
  const folder = makeOwnFolder(parent, 'demo-');
  logFile = join(parent, 'demo.log');
  writeFileSync(logFile, '');

  say('Starting PostgreSQL, Kafka, the functions and the agents …');
  const began = performance.now();
  // A database and a broker that are given are somebody's; the demo has its own.
  const { DATABASE_URL: _database, KAFKA_BROKERS: _kafka, ...variables } = process.env;
  const stack = await startLocalStack({
    folder,
    variables,
    withAgents: true,
    log: (source, line) => {
      if (source === 'start') say(`  ${line}`);
      else appendFileSync(logFile, `${source} ${line}\n`);
    },
  }).catch(withTheDemosRemedy);
  endOnSignal(() => stack.stop());
  say(`  up in ${seconds(performance.now() - began)} at ${stack.url}`);
  for (const [name, url] of Object.entries(stack.agents)) {
    if (name in dataPipeline.agents) say(`  agent ${name} at ${url}`);
  }

  const completed = await runPipeline(stack);
  if (values.keep) {
    say(`\nThe stack stays up at ${stack.url}; its key: ${stack.secrets.apiKey}. Ctrl-C ends it.`);
    process.exitCode = completed ? 0 : 1;
    return;
  }
  await stack.stop();
  say('Everything that was started has stopped.');
  process.exit(completed ? 0 : 1);
}

/** The remedies that name a variable are those of the stack, not of the demo. */
function withTheDemosRemedy(error: unknown): never {
  if (!(error instanceof StartError)) throw error;
  const remedy = 'the demo has servers of its own: with DATABASE_URL or KAFKA_BROKERS set, run npm run dev';
  throw new StartError(error.code, error.message, [remedy], error);
}

async function runPipeline({ url, secrets }: LocalStack): Promise<boolean> {
  const api = apiClient(url as string, secrets.apiKey);
  const { id } = await api.post<{ id: string }>('/api/v1/workflows', dataPipeline.definition);
  say(`\nWorkflow data-pipeline created: ${id}`);
  const { run_id } = await api.post<{ run_id: string }>(`/api/v1/workflows/${id}/execute`, {
    input_data: dataPipeline.input,
  });
  say(`Execution started: ${run_id}\n`);
  const run = await follow(api, run_id);
  const steps = await getSteps(api, run_id);
  say(
    `\n${formatTable(['step', 'agent', 'status', 'attempt', 'duration', 'input', 'output'], steps.map(rowOf))}\n`,
  );
  if (run.status !== 'COMPLETED') {
    say(`The run ended ${run.status}: ${run.error_message}. The functions' output: ${logFile}`);
    return false;
  }
  if (!isDeepStrictEqual(run.output_data, dataPipeline.expectedOutput)) {
    say(`The run's output is not as expected: ${JSON.stringify(run.output_data)}`);
    return false;
  }
  const tookMs = Date.parse(run.completed_at as string) - Date.parse(run.created_at);
  say(`The run COMPLETED with the expected output in ${tookMs} ms.`);
  return true;
}

/** Says each change of the run and its steps as it happens, until the run has ended. */
async function follow(api: ApiClient, runId: string): Promise<RunAnswer> {
  const began = performance.now();
  const said = new Map<string, string>();
  const sayChange = (what: string, status: string) => {
    if (said.get(what) === status) return;
    said.set(what, status);
    say(`  ${seconds(performance.now() - began).padStart(8)}  ${what.padEnd(30)} ${status}`);
  };
  while (performance.now() - began < TIMEOUT_MS) {
    const run = await getRun(api, runId);
    const steps = await getSteps(api, runId);
    for (const { step_id, attempt, status } of steps)
      sayChange(`step ${step_id}, attempt ${attempt}`, status);
    sayChange('run', run.status);
    if (run.status !== 'PENDING' && run.status !== 'RUNNING') return run;
    await sleep(20);
  }
  throw new Error(`The run did not end within ${TIMEOUT_MS / 1_000} s; the functions' output: ${logFile}`);
}

function rowOf(step: StepAnswer): string[] {
  const duration =
    step.started_at && step.completed_at ? Date.parse(step.completed_at) - Date.parse(step.started_at) : null;
  return [
    step.step_id,
    step.agent_name,
    step.status,
    String(step.attempt),
    duration === null ? '' : `${duration} ms`,
    JSON.stringify(step.input_data),
    JSON.stringify(step.output_data ?? step.error_message),
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}

function say(line: string): void {
  console.log(line);
}

runCommand(main, usage);
