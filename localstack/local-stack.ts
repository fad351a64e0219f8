import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashApiKey, prefixOfApiKey } from '../shared/auth/api-key.ts';
import { checkEnvironment, readKafkaConnection } from '../shared/config/environment.ts';
import { type BatchSizes, defaultBatchSizes, eventSourcesOf } from '../shared/config/event-sources.ts';
import { lambdaAgentArns, lambdaAgents } from './agents/lambda-agents.ts';
import { registerAgents } from './agents/register-agents.ts';
import { startAgents } from './agents/start-agents.ts';
import { apiClient } from './api-client.ts';
import type { MappingSettings } from './event-source/mapping-settings.ts';
import { freePort } from './free-ports.ts';
import { functionEnvironment } from './function-environment.ts';
import { type FunctionSettings, functionProcesses } from './function-process.ts';
import { type LocalSecrets, readOrMakeSecrets } from './local-secrets.ts';
import { type RunningServers, startServers } from './servers.ts';
import { type RunningStack, startStack } from './stack.ts';

/** Which functions to run: all of them, or a part, as the profiles of `compose.yaml` have it. */
export type StackPart = 'all' | 'api' | 'consumer' | 'bridge';

export interface LocalStackOptions {
  /** Where data, secrets and logs stay. */
  readonly folder: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Of the API; a free one if absent. */
  readonly port?: number | undefined;
  readonly part?: StackPart;
  readonly batchSizes?: BatchSizes;
  readonly partitions?: number;
  /** The demo agents: those that speak HTTP in a process of their own, Lambda functions beside ours. */
  readonly withAgents?: boolean;
  readonly log: (source: string, line: string) => void;
  /** Functions are started anew after a crash or a timeout, and more of them when there is more to do. */
  readonly onPidsChanged?: () => void;
}

export interface LocalStack {
  readonly url: string | null;
  readonly secrets: LocalSecrets;
  readonly servers: RunningServers;
  readonly stack: RunningStack;
  /** Where each demo agent is, by name. */
  readonly agents: Readonly<Record<string, string>>;
  pids(): Record<string, number>;
  stop(): Promise<void>;
}

const PARTITIONS = 3;
const MINUTE_MS = 60_000;

/** The whole system on this machine: the real handlers over a real PostgreSQL and a real Kafka. */
export async function startLocalStack(options: LocalStackOptions): Promise<LocalStack> {
  const { folder, variables, part = 'all', log } = options;
  const secrets = withVariables(await readOrMakeSecrets(join(folder, 'secrets.json')), variables);
  // A variable that is wrong is said before anything is started.
  const toBe = { databaseUrl: 'to be started', kafkaBrokers: 'to be started' };
  checkEnvironment(functionEnvironment(secrets, toBe, variables, options.port ?? 0));
  const servers = await startServers({
    dataDir: folder,
    databaseUrl: variables.DATABASE_URL,
    kafkaBrokers: variables.KAFKA_BROKERS,
    onProgress: (line) => log('start', line),
    onLost: (line) => log('servers', line),
  });
  const running: { stop(): Promise<void> }[] = [servers];
  const stop = async () => {
    // What was started last depends on what was started before it.
    for (const each of running.toReversed()) await each.stop();
  };
  try {
    const port = options.port ?? (await freePort());
    const env = functionEnvironment(secrets, servers, variables, port);
    const hasApi = part === 'all' || part === 'api';
    if (hasApi) await migrate(env, secrets, options);
    const stack = await startStack({
      kafkaBrokers: servers.kafkaBrokers,
      functions: [...functionsOf(part, env), ...(options.withAgents ? lambdaAgents : [])],
      mappings: mappingsOf(part, env, options.batchSizes ?? defaultBatchSizes),
      schedules: hasApi ? [{ functionName: 'timekeeper', rateMs: MINUTE_MS }] : [],
      lambdaElsewhere: variables.AWS_ENDPOINT_URL || undefined,
      ...(hasApi && {
        api: {
          functionName: 'api',
          port,
          host: variables.HOST,
          corsAllowedOrigins: variables.CORS_ALLOWED_ORIGINS,
        },
      }),
      log,
      onPidsChanged: options.onPidsChanged,
    });
    running.push(stack);
    const { agentSecret: secret } = secrets;
    const agents = options.withAgents
      ? await startAgents({ secret, log: (line) => log('agents', line) })
      : null;
    if (agents !== null) {
      running.push(agents);
      await registerAgents(apiClient(stack.url as string, secrets.apiKey), {
        urls: agents.urls,
        functionArns: lambdaAgentArns,
        secret,
      });
    }
    return {
      url: stack.url ?? null,
      secrets,
      servers,
      stack,
      agents: agents === null ? {} : { ...agents.urls, ...lambdaAgentArns },
      pids: () => ({ ...servers.pids, ...(agents && { agents: agents.pid }), ...stack.pids() }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Containers of one stack share their secrets by environment. */
function withVariables(made: LocalSecrets, variables: LocalStackOptions['variables']): LocalSecrets {
  return {
    ...made,
    apiKey: variables.STEPLINE_API_KEY || made.apiKey,
    jwtSecret: variables.JWT_SECRET || made.jwtSecret,
    secretKey: variables.STEPLINE_SECRET_KEY || made.secretKey,
  };
}

/** What its mapping asks for, and calls that take long: each handed on to an invocation of its own, as many as there is room for. */
const BRIDGE_CONCURRENCY = 24;

function functionsOf(part: StackPart, env: Record<string, string>): FunctionSettings[] {
  const all: (FunctionSettings & { readonly parts: readonly StackPart[] })[] = [
    { name: 'api', entry: entryOf('api'), timeoutMs: 28_000, maxConcurrency: 8, parts: ['api'] },
    {
      name: 'timekeeper',
      entry: entryOf('timekeeper'),
      timeoutMs: 90_000,
      maxConcurrency: 3,
      parts: ['api'],
    },
    {
      name: 'step-executor',
      entry: entryOf('step-executor'),
      timeoutMs: 60_000,
      maxConcurrency: 6,
      parts: ['consumer'],
    },
    {
      name: 'http-bridge',
      entry: entryOf('http-bridge'),
      timeoutMs: 840_000,
      maxConcurrency: BRIDGE_CONCURRENCY,
      parts: ['bridge'],
    },
    {
      name: 'lambda-bridge',
      entry: entryOf('lambda-bridge'),
      timeoutMs: 840_000,
      maxConcurrency: BRIDGE_CONCURRENCY,
      parts: ['bridge'],
    },
  ];
  return all
    .filter(({ parts }) => part === 'all' || parts.includes(part))
    .map(({ parts: _parts, ...settings }) => ({ ...settings, env }));
}

function mappingsOf(part: StackPart, env: Record<string, string>, sizes: BatchSizes): MappingSettings[] {
  const { topics, kafkaGroupId } = readKafkaConnection(env);
  const names = new Set(functionsOf(part, env).map(({ name }) => name));
  return eventSourcesOf(topics, kafkaGroupId, sizes)
    .filter(({ functionName }) => names.has(functionName))
    .map((source) => ({ ...source, reportBatchItemFailures: true }));
}

/** As a deployment does: once, before the other functions take work. */
async function migrate(
  env: Record<string, string>,
  { apiKey }: LocalSecrets,
  { partitions = PARTITIONS, log }: LocalStackOptions,
): Promise<void> {
  const settings = { name: 'migrate', entry: entryOf('migrate'), env, timeoutMs: 120_000 };
  const functionOfMigrate = functionProcesses(settings, log);
  try {
    const result = await functionOfMigrate.invoke({
      topics: { partitions, replicationFactor: 1 },
      admin_key: { hash: hashApiKey(apiKey).toString('hex'), prefix: prefixOfApiKey(apiKey) },
    });
    if (!result.ok)
      throw new Error(`migrate failed: ${result.error.errorType}: ${result.error.errorMessage}`);
  } finally {
    await functionOfMigrate.stop();
  }
}

function entryOf(name: string): string {
  return fileURLToPath(new URL(`../functions/${name}/index.ts`, import.meta.url));
}
