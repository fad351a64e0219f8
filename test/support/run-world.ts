import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { freePort } from '../../localstack/free-ports.ts';
import { functionArn } from '../../localstack/invocation.ts';
import type { AgentKind } from '../../shared/application/manage-agents.ts';
import { type Environment, readEnvironment } from '../../shared/config/environment.ts';
import type { TopicName } from '../../shared/config/topics.ts';
import { createKafka } from '../../shared/kafka/client.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import type { AgentTask } from '../../shared/messages/messages.ts';
import { type Database, openDatabase } from '../../shared/persistence/database.ts';
import { type AgentBehaviour, startTestAgents, type TestAgentServer } from './agent-server.ts';
import { createFreshDatabase, type FreshDatabase } from './fresh-database.ts';
import {
  type LambdaAgentBehaviour,
  type LambdaAgentSettings,
  startTestLambda,
  type TestLambda,
} from './lambda-agents.ts';
import { makeApiKey } from './make-api-key.ts';
import { createRunClient, type RunClient } from './run-client.ts';
import { openTopicReader, type TopicReader } from './topic-reader.ts';

export interface WorldOptions {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
  readonly partitions?: number;
  /** Beside those that every function needs. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Instead of a migrated one of its own; dropped at the end all the same. */
  readonly database?: FreshDatabase;
}

/** What the functions stand on: a database and topics of one test file, agents on a socket, and a client of the API. */
export interface RunWorld {
  readonly variables: Readonly<Record<string, string>>;
  readonly environment: Environment;
  readonly port: number;
  readonly url: string;
  readonly database: Database;
  readonly agents: TestAgentServer;
  readonly lambda: TestLambda;
  /** As the user ann, by API key. */
  readonly client: RunClient;
  /** Everybody's HTTP agent on the test's server; without a behaviour it answers its input. */
  addAgent(name: string, behaviour?: AgentBehaviour): Promise<void>;
  /** Everybody's agent that is a function of the test's Lambda. */
  addLambdaAgent(
    name: string,
    behaviour?: LambdaAgentBehaviour,
    settings?: LambdaAgentSettings,
  ): Promise<void>;
  /** Everybody's agent that reads a topic of its own, which only the test does. @returns its tasks. */
  addKafkaAgent(
    name: string,
    settings?: { readonly timeoutSeconds?: number },
  ): Promise<TopicReader<AgentTask>>;
  /** Records as another producer writes them: JSON, or text where it is text. */
  produce(topic: TopicName, key: string, ...values: (object | string)[]): Promise<void>;
  readTopic<T>(topic: TopicName): Promise<TopicReader<T>>;
  close(): Promise<void>;
}

/** Those of the client's key. */
const COMMUNITIES = [7, 123];

export const JWT_SECRET = 'a secret of the tests, in UTF-8: ä';

export async function openRunWorld(options: WorldOptions): Promise<RunWorld> {
  const [{ url: databaseUrl, drop }, agents, lambda, port] = await Promise.all([
    options.database ?? createFreshDatabase(options.databaseUrl),
    startTestAgents(),
    startTestLambda(),
    freePort(),
  ]);
  const url = `http://127.0.0.1:${port}`;
  const variables = {
    DATABASE_URL: databaseUrl,
    KAFKA_BROKERS: options.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: `runs-${randomBytes(4).toString('hex')}.`,
    STEPLINE_SECRET_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET,
    JWT_RATE_LIMIT: 'unlimited',
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    PUBLIC_URL: url,
    LOG_LEVEL: 'SILENT',
    ...options.variables,
  };
  const environment = readEnvironment(variables);
  const { topics, kafkaBrokers: brokers } = environment;
  const layout = { partitions: options.partitions ?? 1, replicationFactor: 1 };
  await createTopics({ brokers, clientId: 'test' }, topics, layout);
  const database = openDatabase({ url: databaseUrl, maxConnections: 2 });
  const key = await makeApiKey(database, 'ann', { communities: COMMUNITIES });
  const producer = createKafka({ brokers, clientId: 'test' }).producer();
  await producer.connect();
  const readers: TopicReader<unknown>[] = [];
  const insertAgent = (
    name: string,
    kind: AgentKind,
    address: string,
    timeoutSeconds: number | null = null,
  ) =>
    database.execute(
      'insert into agents (id, name, kind, address, timeout_seconds) values ($1, $2, $3, $4, $5)',
      [uuidv7(), name, kind, address, timeoutSeconds],
    );

  return {
    variables,
    environment,
    port,
    url,
    database,
    agents,
    lambda,
    client: createRunClient(url, { 'x-api-key': key }),
    async addAgent(name, behaviour) {
      if (behaviour) agents.on(name, behaviour);
      await insertAgent(name, 'http', agents.url(name));
    },
    async addLambdaAgent(name, behaviour, settings) {
      lambda.add(name, behaviour, settings);
      await insertAgent(name, 'lambda', functionArn(name));
    },
    async addKafkaAgent(name, { timeoutSeconds } = {}) {
      const topic = `agent.${name}.${randomBytes(4).toString('hex')}`;
      await createTopics({ brokers, clientId: 'test' }, [topic], { partitions: 1, replicationFactor: 1 });
      await insertAgent(name, 'kafka', topic, timeoutSeconds);
      const reader = await openTopicReader<AgentTask>(brokers, topic);
      readers.push(reader);
      return reader;
    },
    async produce(topic, key, ...values) {
      const textOf = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value));
      const messages = values.map((value) => ({ key, value: textOf(value) }));
      await producer.send({ topic: topics[topic], messages });
    },
    async readTopic<T>(topic: TopicName) {
      const reader = await openTopicReader<T>(brokers, topics[topic]);
      readers.push(reader);
      return reader;
    },
    async close() {
      await Promise.all([
        ...readers.map((reader) => reader.close()),
        producer.disconnect(),
        agents.close(),
        lambda.close(),
        database.close(),
      ]);
      await drop();
    },
  };
}
