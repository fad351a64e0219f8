import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { functionProfiles } from '../../infra/config/function-profiles.ts';
import { freePort } from '../../localstack/free-ports.ts';
import { type FunctionSettings, functionProcesses } from '../../localstack/function-process.ts';
import { type RunningStack, startStack } from '../../localstack/stack.ts';
import { deployedFunctions } from '../../localstack/template/deployed-functions.ts';
import { deployedMappings } from '../../localstack/template/deployed-mappings.ts';
import { readTemplate } from '../../localstack/template/template.ts';
import { createEmptyDatabase } from './fresh-database.ts';
import { createRunClient, type RunClient } from './run-client.ts';
import { startTestSecrets, type TestSecrets } from './secrets-manager.ts';
import { startAgain } from './start-again.ts';
import { createDeployment } from './synthesise.ts';

export interface DeployedStackOptions {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
  /** Instead of the ten thousand attempts of days that the template gives a record. */
  readonly maximumRetryAttempts?: number;
}

/** What a deployment runs, on this machine: bundles, environment and mappings as the template has them. */
export interface DeployedStack {
  readonly stack: RunningStack;
  readonly secrets: TestSecrets;
  /** As the first administrator, by the key in Secrets Manager. */
  readonly client: RunClient;
  readonly functions: readonly FunctionSettings[];
  /** Asks the database as its owner. */
  readonly database: pg.Client;
  /** The deployment's trigger once more. */
  migrate(): Promise<unknown>;
  /** What functions have printed. */
  readonly output: readonly string[];
  close(): Promise<void>;
}

const PREFIX = 'stepline-local-';
const PASSWORD = 'of-every-function';

export function startDeployedStack(options: DeployedStackOptions): Promise<DeployedStack> {
  return startAgain(() => startOnce(options));
}

async function startOnce(options: DeployedStackOptions): Promise<DeployedStack> {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-deployed-'));
  const [fresh, port] = await Promise.all([createEmptyDatabase(options.databaseUrl, 'deployed'), freePort()]);
  const databaseUrl = fresh.url;
  const { app } = createDeployment(
    {
      env: 'local',
      databaseUrl,
      kafkaBootstrapBrokers: options.kafkaBrokers,
      kafkaTopicPrefix: `${fresh.name}.`,
      kafkaPartitions: 2,
    },
    { outdir: folder },
  );
  app.synth();
  const template = readTemplate(folder, 'Functions');
  const secrets = await startTestSecrets({});
  const functions = deployedFunctions(template).map((each) => ({
    ...each,
    env: {
      ...each.env,
      // What AWS would have made: where the API is, and where Secrets Manager.
      ...(each.env.PUBLIC_URL !== undefined && { PUBLIC_URL: `http://127.0.0.1:${port}` }),
      AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
      ...asOwnUser(each.name.slice(PREFIX.length), databaseUrl),
    },
  }));
  fillSecrets(secrets, functions);
  const output: string[] = [];
  const log = (source: string, line: string) => void output.push(`${source}: ${line}`);
  const migrate = () => invokeOnce(functions, `${PREFIX}migrate`, log);
  await migrate();
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  for (const { databaseUser } of Object.values(functionProfiles)) {
    if (databaseUser !== 'administrator' && databaseUser !== null)
      await database.query(`alter role ${databaseUser} password '${PASSWORD}'`);
  }
  const stack = await startStack({
    kafkaBrokers: options.kafkaBrokers,
    functions: functions.filter((each) => each.name !== `${PREFIX}migrate`),
    mappings: deployedMappings(template).map((each) => ({
      ...each,
      ...(options.maximumRetryAttempts !== undefined && {
        maximumRetryAttempts: options.maximumRetryAttempts,
      }),
    })),
    schedules: [{ functionName: `${PREFIX}timekeeper`, rateMs: 60_000 }],
    api: { functionName: `${PREFIX}api`, port },
    mappingTuning: { retryBackoffMs: { first: 20, longest: 200 } },
    log,
  });
  const { api_key } = JSON.parse(secretOf(secrets, 'AdminKey')) as { api_key: string };
  return {
    stack,
    secrets,
    functions,
    database,
    migrate,
    output,
    client: createRunClient(`http://127.0.0.1:${port}`, { 'x-api-key': api_key }),
    async close() {
      await stack.stop();
      await Promise.all([secrets.stop(), database.end()]);
      await fresh.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function secretOf({ values }: TestSecrets, id: string): string {
  const found = [...values].find(([name]) => name.includes(id));
  if (found === undefined) throw new Error(`No function asks for the secret ${id}`);
  return found[1];
}

/** As CloudFormation makes them from `GenerateSecretString`. */
function fillSecrets({ values }: TestSecrets, functions: readonly FunctionSettings[]): void {
  for (const { env = {} } of functions) {
    for (const [name, arn] of Object.entries(env)) {
      if (name === 'ADMIN_KEY_ARN') values.set(arn, JSON.stringify({ not_made_yet: 'abc' }));
      else if (name.endsWith('_ARN') && !values.has(arn)) values.set(arn, randomBytes(33).toString('base64'));
    }
  }
}

/** As in production each function is a database user of its own, here with a password in the place of IAM. */
function asOwnUser(functionName: string, databaseUrl: string): { DATABASE_URL: string } {
  const profile = Object.entries(functionProfiles).find(([name]) => name === functionName)?.[1];
  const url = new URL(databaseUrl);
  if (typeof profile?.databaseUser === 'string' && profile.databaseUser !== 'administrator') {
    url.username = profile.databaseUser;
    url.password = PASSWORD;
  }
  return { DATABASE_URL: url.href };
}

/** With the event that the toolkit's trigger sends: none. */
async function invokeOnce(
  functions: readonly FunctionSettings[],
  name: string,
  log: (source: string, line: string) => void,
): Promise<unknown> {
  const settings = functions.find((each) => each.name === name);
  if (settings === undefined) throw new Error(`The template has no function ${name}`);
  const processes = functionProcesses(settings, log);
  try {
    const result = await processes.invoke(null);
    if (!result.ok)
      throw new Error(`${name}: ${result.error.errorMessage}\n${result.error.trace.join('\n')}`);
    return result.payload;
  } finally {
    await processes.stop();
  }
}
