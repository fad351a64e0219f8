import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { encryptSecret } from '../../shared/agents/secrets.ts';
import { generateApiKey } from '../../shared/auth/api-key.ts';
import { createEngineServices, type EngineServices } from '../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../shared/config/environment.ts';
import type { Json, JsonObject } from '../../shared/engine/json.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { ensureAdminKey } from '../../shared/persistence/admin-key.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { openBenchApi } from './bench-api.ts';
import { startFunctions } from './bench-functions.ts';
import { createEndedRuns, type EndedRuns } from './ended-runs.ts';
import { startKafkaAgent } from './kafka-agent.ts';
import { type StoredWorkflow, storeWorkflow } from './store-workflow.ts';
import { type Shape, STEPS, sequenceOf } from './workflow-shapes.ts';

export interface BenchServers {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
}

export interface BenchOptions {
  readonly servers: BenchServers;
  readonly batchSize: number;
  readonly partitions: number;
  readonly agent: Agent;
  /** Default: a sequence of `STEPS` agent steps. */
  readonly shape?: Shape;
  /** Variables of the functions, beside those that all need; without them they are as a deployment has them. */
  readonly settings?: Readonly<Record<string, string>>;
}

export type Agent = InProcessAgent | HttpAgent;

/** It reads its own topic. */
export interface InProcessAgent {
  readonly kind: 'in-process';
  /** Default: its input. */
  readonly answer?: (input: Json) => Json;
}

export interface HttpAgent {
  readonly kind: 'http';
  readonly url: string;
  readonly secret: string;
}

export interface BenchStack {
  readonly shape: Shape;
  readonly workflow: StoredWorkflow;
  readonly services: EngineServices;
  readonly ended: Pick<EndedRuns, 'completions' | 'completionOf'>;
  /** By a request to the API's handler, until it is answered 202. @returns the run's id */
  execute(input: JsonObject): Promise<string>;
  /** Held mappings leave their records in Kafka. */
  hold(held: boolean): void;
  stop(): Promise<void>;
}

/** The functions that carry a run, in this process, over real topics and tables. */
export async function startBenchStack({
  servers: { databaseUrl, kafkaBrokers },
  batchSize,
  partitions,
  agent,
  shape = sequenceOf(STEPS),
  settings = {},
}: BenchOptions): Promise<BenchStack> {
  const prefix = `bench-${randomBytes(4).toString('hex')}.`;
  const environment = readEnvironment({
    DATABASE_URL: databaseUrl,
    KAFKA_BROKERS: kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    KAFKA_GROUP_ID: `${prefix}group`,
    STEPLINE_SECRET_KEY: randomBytes(32).toString('base64'),
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    LOG_LEVEL: 'SILENT',
    ...settings,
  });
  const { topics, kafkaBrokers: brokers } = environment;
  const agentTopic = `agent.${prefix}worker`;
  await migrate(databaseUrl);
  const layout = { partitions, replicationFactor: 1 };
  await createTopics({ brokers, clientId: 'bench' }, [...Object.values(topics), agentTopic], layout);

  const services = createEngineServices(environment, 'bench');
  const workflow = await storeWorkflow(services.database, prefix, shape);
  const [kind, address, secret] =
    agent.kind === 'http'
      ? ['http', agent.url, encryptSecret(environment.secretKey, agent.secret)]
      : ['kafka', agentTopic, null];
  await services.database.execute(
    'insert into agents (id, name, kind, address, secret_encrypted) values ($1, $2, $3, $4, $5)',
    [uuidv7(), `${prefix}worker`, kind, address, secret],
  );
  const { key: apiKey, hash, prefix: shown } = generateApiKey();
  await ensureAdminKey(databaseUrl, { hash: hash.toString('hex'), prefix: shown });
  const api = openBenchApi(environment, workflow.id, apiKey);

  const ended = createEndedRuns();
  const functions = await startFunctions(environment, { batchSize, ended });
  const stopAgent =
    agent.kind === 'http' ? null : await startKafkaAgent({ brokers, topic: agentTopic, topics, ...agent });
  return {
    shape,
    workflow,
    services,
    ended,
    execute: api.execute,
    hold: functions.hold,
    async stop() {
      await Promise.all([functions.stop(), stopAgent?.()]);
      await Promise.all([api.close(), services.close()]);
    },
  };
}
