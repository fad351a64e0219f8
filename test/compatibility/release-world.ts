import { randomBytes } from 'node:crypto';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { createEmptyDatabase, type FreshDatabase } from '../support/fresh-database.ts';
import { TASKS_BY_TOPIC } from '../support/quick-agents.ts';
import { createRunClient } from '../support/run-client.ts';
import { openRunWorld, type RunWorld } from '../support/run-world.ts';
import { writeTopics } from './kafka-log.ts';
import { type KeptWorld, readWorld } from './kept-release.ts';
import type { Release } from './release.ts';
import { migrateAs } from './release-stack.ts';
import { agentTopicOf, COMMUNITY, registerAgents } from './stage.ts';
import { writeTables } from './table-rows.ts';

export interface Servers {
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
}

/** Nothing of the kept times is older, and all that ends by itself in a kept world ends sooner: by now its time has come. */
const AWAY_MS = 10 * 60_000;
/** How long a kept world's timers were set to. */
export const KEPT_SECONDS = 300;

/** An empty world, whose schema one release after the other has brought up to date. */
export async function openReleaseWorld(servers: Servers, ...releases: readonly Release[]): Promise<RunWorld> {
  const { database, variables } = await prepare(servers);
  for (const release of releases) await migrateAs(release, variables);
  await createAgentTopic(servers, variables.KAFKA_TOPIC_PREFIX);
  const world = await openRunWorld({ ...servers, database, variables: { ...variables, ...TASKS_BY_TOPIC } });
  await registerAgents(world, agentTopicOf(variables.KAFKA_TOPIC_PREFIX));
  return world;
}

export interface RestoredWorld extends RunWorld {
  readonly kept: KeptWorld;
}

/**
 * The kept world as it was ten minutes after everything in it had stopped; then the next release's migration has run.
 * Its client is the user of before, by the key of before.
 */
export async function restoreWorld(
  servers: Servers,
  previous: Release,
  next: Release,
): Promise<RestoredWorld> {
  const { database, variables: fresh } = await prepare(servers);
  const kept = readWorld(fresh.KAFKA_TOPIC_PREFIX);
  const variables = { ...fresh, STEPLINE_SECRET_KEY: kept.secretKey };
  await migrateAs(previous, variables);
  await writeTables(database.url, kept.tables, Date.now() - kept.keptAtMs - AWAY_MS);
  await writeTopics([servers.kafkaBrokers], kept.topics);
  await migrateAs(next, variables);
  const world = await openRunWorld({ ...servers, database, variables: { ...variables, ...TASKS_BY_TOPIC } });
  await moveAgents(world);
  // Its key is of before runs were only taken for communities of whoever asks.
  await world.database.execute('update api_keys set communities = array[$1::bigint]', [COMMUNITY]);
  return { ...world, kept, client: createRunClient(world.url, { 'x-api-key': kept.apiKey }) };
}

async function prepare(servers: Servers) {
  const database: FreshDatabase = await createEmptyDatabase(servers.databaseUrl, 'release');
  const variables = {
    DATABASE_URL: database.url,
    KAFKA_BROKERS: servers.kafkaBrokers,
    KAFKA_TOPIC_PREFIX: `release-${randomBytes(4).toString('hex')}.`,
  };
  return { database, variables };
}

function createAgentTopic({ kafkaBrokers }: Servers, topicPrefix: string): Promise<void> {
  const layout = { partitions: 1, replicationFactor: 1 };
  return createTopics(
    { brokers: [kafkaBrokers], clientId: 'compatibility' },
    [agentTopicOf(topicPrefix)],
    layout,
  );
}

/** They answer at another port than before. */
async function moveAgents({ database, agents }: RunWorld): Promise<void> {
  const moved = await database.execute(
    `update agents set address = $1 || substring(address from '/agents/.*') where kind = 'http'`,
    [new URL(agents.url('')).origin],
  );
  if (moved === 0) throw new Error('The kept world has no agents');
}
