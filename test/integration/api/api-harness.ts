import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { expect } from 'vitest';
import { createApi } from '../../../functions/api/create-api.ts';
import { createApiServices } from '../../../functions/api/create-api-services.ts';
import type { ApiServices } from '../../../functions/api/services.ts';
import type { ApiKeyRecord } from '../../../shared/application/manage-api-keys.ts';
import { generateApiKey } from '../../../shared/auth/api-key.ts';
import { createEngineServices, type EngineServices } from '../../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../../shared/config/environment.ts';
import type { Topics } from '../../../shared/config/topics.ts';
import { createTopics } from '../../../shared/kafka/create-topics.ts';
import { insertApiKey } from '../../../shared/persistence/api-keys.ts';
import { createTextAaaLog } from '../../../shared/telemetry/aaa-log.ts';
import {
  type ApiRequest,
  type ApiResponse,
  apiContext,
  apiEvent,
  responseOf,
} from '../../support/api-event.ts';
import { startDatabaseRelay } from '../../support/database-relay.ts';
import { createFreshDatabase } from '../../support/fresh-database.ts';

const JWT_SECRET = 'a secret of the tests, in UTF-8: ä';

export interface ApiHarness {
  /** Sends without credentials. */
  send(request: ApiRequest): Promise<ApiResponse>;
  /** Sends as this user, by JWT. */
  as(userId: string, claims?: Record<string, unknown>): (request: ApiRequest) => Promise<ApiResponse>;
  readonly databaseUrl: string;
  readonly secretKey: Buffer;
  readonly topics: Topics;
  readonly engine: EngineServices;
  readonly services: ApiServices;
  readonly logged: { message: string; fields: Readonly<Record<string, unknown>> }[];
  /** Of the AAA log, as text. */
  readonly lines: string[];
  /** Without a rate limit, unless `more` says otherwise. */
  makeApiKey(
    userId: string,
    roles?: readonly string[],
    more?: Partial<ApiKeyRecord>,
  ): Promise<{ id: string; key: string }>;
  /** Round trips of the API's to the database since the last time. */
  roundTrips(): number;
  /** The same API in another execution environment: with a connection of its own, and a memory of its own. */
  another(): Promise<Pick<ApiHarness, 'send' | 'as' | 'close'>>;
  close(): Promise<void>;
}

export interface HarnessOptions {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
  readonly authMode?: 'required' | 'anonymous';
  /** False where nothing is published. */
  readonly withTopics?: boolean;
  /** Who is asked for agents that are not registered. */
  readonly agentRegistryUrl?: string;
  /** Nobody listens where the database should be. */
  readonly unreachableDatabase?: boolean;
}

/** Of the pipeline's agents, which nobody has registered here. */
export const unregisteredAgents = ['extract', 'transform'].map((step) => ({
  path: `steps.${step}.agent_name`,
  message: expect.stringMatching(/^there is no agent "data-\w+" that the workflow's owner may use/),
  hint: 'Register the agent, or correct the name: the step would fail with AGENT_NOT_FOUND',
}));

/** The real API on the real engine, on a database and topics of its own. */
export async function openApiHarness(options: HarnessOptions): Promise<ApiHarness> {
  const database = await createFreshDatabase(options.databaseUrl);
  const relay = await startDatabaseRelay(database.url);
  const environment = readEnvironment({
    DATABASE_URL: options.unreachableDatabase ? 'postgresql://user:pw@127.0.0.1:1/none' : relay.url,
    KAFKA_BROKERS: options.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: `test-${randomBytes(4).toString('hex')}.`,
    STEPLINE_SECRET_KEY: randomBytes(32).toString('base64'),
    AUTH_MODE: options.authMode ?? 'required',
    JWT_SECRET,
    JWT_RATE_LIMIT: 'unlimited',
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    ...(options.agentRegistryUrl !== undefined && { AGENT_REGISTRY_URL: options.agentRegistryUrl }),
  });
  if (options.withTopics ?? false) {
    const layout = { partitions: 1, replicationFactor: 1 };
    await createTopics({ brokers: environment.kafkaBrokers, clientId: 'test' }, environment.topics, layout);
  }
  const engine = createEngineServices(environment, 'test-api');
  const logged: ApiHarness['logged'] = [];
  const lines: string[] = [];
  const services = createApiServices(
    engine,
    environment,
    {
      error: (message, fields) => void logged.push({ message, fields }),
    },
    createTextAaaLog({ module: 'test_api', level: 'INFO', write: (line) => void lines.push(line) }),
  );
  const senders = (of: ApiServices): Pick<ApiHarness, 'send' | 'as'> => {
    const api = createApi(of);
    const send = async (request: ApiRequest) => responseOf(await api(apiEvent(request), apiContext));
    return {
      send,
      as: (userId, claims = userId === 'ann' ? { communities: COMMUNITIES_OF_ANN } : {}) => {
        const token = signToken(userId, claims);
        return async (request) =>
          send({ ...request, headers: { Authorization: `Bearer ${await token}`, ...request.headers } });
      },
    };
  };
  return {
    ...senders(services),
    async another() {
      const other = createEngineServices(environment, 'test-api');
      const { log, aaa } = services;
      return { ...senders(createApiServices(other, environment, log, aaa)), close: () => other.close() };
    },
    roundTrips: () => relay.count(),
    databaseUrl: database.url,
    secretKey: environment.secretKey,
    topics: environment.topics,
    engine,
    services,
    logged,
    lines,
    async makeApiKey(userId, roles = [], more = {}) {
      const { key, hash, prefix } = generateApiKey();
      const { id } = await insertApiKey(engine.database, {
        hash,
        prefix,
        name: 'test',
        userId,
        roles,
        communities: [],
        tier: 'unlimited',
        scopes: [],
        expiresAt: null,
        ...more,
      });
      return { id, key };
    },
    async close() {
      await engine.close();
      await relay.close();
      await database.drop();
    },
  };
}

/** The owner's, whose runs are of one or the other. */
const COMMUNITIES_OF_ANN = [1, 2, 3, 5, 7, 8, 9, 42, 123];

function signToken(userId: string, claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(userId)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
}

export const dataPipeline = {
  name: 'data-pipeline',
  description: 'Extracts, then transforms',
  start_step: 'extract',
  steps: {
    extract: {
      id: 'extract',
      agent_name: 'data-extractor',
      next_step: 'transform',
      input_mapping: { source: '$.workflow_input.source_url' },
    },
    transform: {
      id: 'transform',
      agent_name: 'data-transformer',
      next_step: null,
      input_mapping: { data: '$.extract.output_data' },
    },
  },
};
