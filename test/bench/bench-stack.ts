import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { ApiHandler } from '../../functions/api/create-api.ts';
import { createApi } from '../../functions/api/create-api.ts';
import { createApiServices } from '../../functions/api/create-api-services.ts';
import { openHttpBridge } from '../../functions/http-bridge/open-http-bridge.ts';
import { openStepExecutor } from '../../functions/step-executor/open-step-executor.ts';
import { EventSourceMapping } from '../../localstack/event-source/event-source-mapping.ts';
import { inProcessFunction, type LambdaHandler } from '../../localstack/in-process-function.ts';
import { encryptSecret } from '../../shared/agents/secrets.ts';
import type { DecideBatch } from '../../shared/application/decide-batch.ts';
import { generateApiKey } from '../../shared/auth/api-key.ts';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { type Environment, readEnvironment } from '../../shared/config/environment.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import { ensureAdminKey } from '../../shared/persistence/admin-key.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { startKafkaAgent } from './kafka-agent.ts';

export interface BenchServers {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
}

export interface BenchOptions {
  readonly servers: BenchServers;
  readonly batchSize: number;
  readonly partitions: number;
  readonly agent: { readonly kind: 'in-process' } | HttpAgent;
  /** Default: a sequence of `STEPS` agent steps. */
  readonly shape?: Shape;
}

/** What a run does. */
export interface Shape {
  readonly name: string;
  /** Agent steps of one run. */
  readonly steps: number;
  readonly input: JsonObject;
  /** `start_step` and `steps`, all of one agent. */
  definition(agentName: string): JsonObject;
}

export interface HttpAgent {
  readonly kind: 'http';
  readonly url: string;
  readonly secret: string;
}

export interface BenchStack {
  readonly environment: Environment;
  readonly shape: Shape;
  readonly workflow: Parameters<ReturnType<typeof createEngineServices>['startRun']>[0]['workflow'];
  readonly services: ReturnType<typeof createEngineServices>;
  readonly api: ApiHandler;
  readonly apiKey: string;
  /** Resolves when so many runs more have reached their end. @throws when one did not complete. */
  completions(count: number): Promise<void>;
  /** Held mappings leave their records in Kafka. */
  hold(held: boolean): void;
  stop(): Promise<void>;
}

export const STEPS = 5;

/** The functions that carry a run, in this process, over real topics and tables of their own. */
export async function startBenchStack({
  servers,
  batchSize,
  partitions,
  agent,
  shape = sequenceOf(STEPS),
}: BenchOptions): Promise<BenchStack> {
  const prefix = `bench-${randomBytes(4).toString('hex')}.`;
  const environment = readEnvironment({
    DATABASE_URL: servers.databaseUrl,
    DATABASE_PIPELINE: 'true',
    KAFKA_BROKERS: servers.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    STEPLINE_SECRET_KEY: randomBytes(32).toString('base64'),
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    LOG_LEVEL: 'SILENT',
  });
  const { topics } = environment;
  const kafka = { brokers: environment.kafkaBrokers, clientId: 'bench' };
  const agentTopic = `agent.${prefix}worker`;
  await migrate(environment.databaseUrl);
  await createTopics(kafka, [...Object.values(topics), agentTopic], { partitions, replicationFactor: 1 });

  const services = createEngineServices(environment, 'bench');
  const workflow = await storeWorkflow(services, prefix, shape);
  const [kind, address, secret] =
    agent.kind === 'http'
      ? ['http', agent.url, encryptSecret(environment.secretKey, agent.secret)]
      : ['kafka', agentTopic, null];
  await services.database.execute(
    'insert into agents (id, name, kind, address, secret_encrypted) values ($1, $2, $3, $4, $5)',
    [uuidv7(), `${prefix}worker`, kind, address, secret],
  );
  const { key: apiKey, hash, prefix: shown } = generateApiKey();
  await ensureAdminKey(environment.databaseUrl, { hash: hash.toString('hex'), prefix: shown });
  const log = { error: (message: string, fields: object) => console.error(message, fields) };
  const api = createApi(createApiServices(services, environment, log, { write: () => {} }));

  const ended = endedRuns();
  const closers: (() => Promise<unknown>)[] = [];
  const executor = inProcessFunction({
    functionName: 'step-executor',
    createHandler: () => {
      const { handler, close } = openStepExecutor(environment, {
        watch: ended.watch,
        log: { debug: () => {}, warn: console.error, error: console.error },
      });
      closers.push(close);
      return handler as LambdaHandler;
    },
  });
  const bridge = inProcessFunction({
    functionName: 'http-bridge',
    createHandler: () => {
      const own = openHttpBridge(environment, { functionName: null, warn: console.error });
      closers.push(own.close);
      const handler = (event: MskEvent, context: { getRemainingTimeInMillis(): number }) =>
        own.bridge.handleRecords(event, { remainingMs: () => context.getRemainingTimeInMillis() });
      return handler as LambdaHandler;
    },
  });
  const mapping = (topic: string, invoker: typeof executor) =>
    new EventSourceMapping({
      brokers: environment.kafkaBrokers,
      invoker,
      settings: { topic, functionName: invoker.functionName, consumerGroupId: `${topic}.group`, batchSize },
    });
  const mappings = [
    mapping(topics.executionRequests, executor),
    mapping(topics.results, executor),
    mapping(topics.stepRequests, executor),
    ...(agent.kind === 'http' ? [mapping(topics.httpTasks, bridge)] : []),
  ];
  await Promise.all(mappings.map((one) => one.start()));
  if (agent.kind === 'in-process') {
    closers.push(await startKafkaAgent({ brokers: environment.kafkaBrokers, topic: agentTopic, topics }));
  }

  return {
    environment,
    shape,
    workflow,
    services,
    api,
    apiKey,
    completions: ended.completions,
    hold(held) {
      for (const one of mappings) one.paused = held;
    },
    async stop() {
      await Promise.all(mappings.map((one) => one.stop()));
      await Promise.all([services.close(), ...closers.map((close) => close())]);
    },
  };
}

/** Counts the runs that decisions end, so that nobody has to ask the database again and again. */
function endedRuns() {
  let count = 0;
  let failures = 0;
  let waiting: { at: number; resolve: () => void; reject: (error: Error) => void } | null = null;
  const watch =
    (decideBatch: DecideBatch): DecideBatch =>
    async (items) => {
      const outcomes = await decideBatch(items);
      for (const outcome of outcomes) {
        if (outcome.outcome !== 'decided') continue;
        if (outcome.status === 'COMPLETED') count += 1;
        else if (outcome.status !== 'RUNNING') failures += 1;
      }
      if (failures > 0) waiting?.reject(new Error(`${failures} runs did not complete`));
      else if (waiting !== null && count >= waiting.at) waiting.resolve();
      return outcomes;
    };
  const completions = (more: number) =>
    new Promise<void>((resolve, reject) => {
      waiting = { at: count + more, resolve, reject };
    });
  return { watch, completions };
}

/** One agent step after the other, each with what the one before brought. */
export function sequenceOf(count: number): Shape {
  return {
    name: `sequence of ${count}`,
    steps: count,
    input: { message: 'a message of an ordinary length' },
    definition(agent_name) {
      const steps = Array.from({ length: count }, (_, i) => {
        const from = i === 0 ? '$.workflow_input.message' : `$.s${i}.output_data.message`;
        const next_step = i + 1 < count ? `s${i + 2}` : null;
        return [`s${i + 1}`, { agent_name, next_step, input_mapping: { message: from } }];
      });
      return { start_step: 's1', steps: Object.fromEntries(steps) };
    },
  };
}

async function storeWorkflow(
  { database }: ReturnType<typeof createEngineServices>,
  prefix: string,
  shape: Shape,
) {
  const id = uuidv7();
  const versionId = uuidv7();
  const name = `${prefix}workflow`;
  const parsed = parseDefinition({ name, ...shape.definition(`${prefix}worker`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { definition } = parsed;
  await database.execute(
    "insert into workflows (id, owner, name, latest_version) values ($1, 'bench', $2, 1)",
    [id, name],
  );
  await database.execute(
    'insert into workflow_versions (id, workflow_id, version, definition, content_hash) values ($1, $2, 1, $3, $4)',
    [versionId, id, JSON.stringify(definition), randomBytes(32)],
  );
  return { id, name, version: 1, versionId, definition };
}
