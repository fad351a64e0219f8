import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApiGateway } from '../../localstack/api-gateway/api-gateway.ts';
import { functionProcesses } from '../../localstack/function-process.ts';
import { removeWithLauncher } from '../../localstack/guardian.ts';
import { projectFolder } from '../../localstack/project-folder.ts';
import { startServers } from '../../localstack/servers.ts';
import { generateApiKey } from '../../shared/auth/api-key.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import { insertApiKey } from '../../shared/persistence/api-keys.ts';
import { createRunClient } from '../support/run-client.ts';
import type { RunWorld } from '../support/run-world.ts';
import { carryingFunctions } from './carrying-functions.ts';
import { readTopics } from './kafka-log.ts';
import { type KeptRelease, type KeptWorld, writeRelease } from './kept-release.ts';
import { begin } from './play.ts';
import { codeOf, currentRelease, type Release } from './release.ts';
import { startReleaseStack } from './release-stack.ts';
import { KEPT_SECONDS, openReleaseWorld } from './release-world.ts';
import { keptSituations, liveSituations } from './situations/all-situations.ts';
import { inFlight, leftBehind } from './situations/in-flight.ts';
import { agentTopicOf, COMMUNITY, openStage } from './stage.ts';
import { readTables } from './table-rows.ts';

/** Whose runs the situations are. */
const ann = {
  name: 'kept',
  userId: 'ann',
  roles: [],
  communities: [COMMUNITY],
  tier: 'unlimited',
  scopes: [],
  expiresAt: null,
} as const;

/*
 * `npm run release:keep`, at the commit that was released: keeps its functions, and what they leave in Postgres and in Kafka when they
 * are stopped in the middle of every kind of run. The tests let the code of later commits go on from there.
 */
const folder = mkdtempSync(join(tmpdir(), 'stepline-keep-release-'));
removeWithLauncher(folder);
const servers = await startServers({ dataDir: folder, onProgress: (line) => console.log(line) });
try {
  const release = currentRelease();
  const world = await openReleaseWorld(servers, release);
  try {
    const about = describeRelease(release);
    writeRelease(about, codeOf(release), await stopInTheMiddle(world, release));
    console.log(`Kept ${about.version}, ${about.newestMigration}, with ${about.situations.length} runs.`);
  } finally {
    await world.close();
  }
} finally {
  await servers.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

function describeRelease({ functions }: Release): KeptRelease {
  const read = readFileSync(join(projectFolder, 'package.json'), 'utf8');
  const { version } = JSON.parse(read) as { version: string };
  const migrations = readdirSync(join(projectFolder, 'shared/persistence/migrations'));
  const newest =
    migrations
      .filter((name) => name.endsWith('.sql'))
      .toSorted()
      .at(-1) ?? '';
  const databaseUsers = carryingFunctions.map((name) => [name, functions[name].databaseUser]);
  return {
    version,
    newestMigration: newest.replace('.sql', ''),
    databaseUsers: Object.fromEntries(databaseUsers),
    situations: keptSituations.map(({ name }) => name),
  };
}

async function stopInTheMiddle(world: RunWorld, release: Release): Promise<KeptWorld> {
  const { environment, variables, database } = world;
  const topicPrefix = variables.KAFKA_TOPIC_PREFIX ?? '';
  const stack = await startReleaseStack(world, release);
  const stage = await openStage(world, { seconds: KEPT_SECONDS });
  const { key: apiKey, ...stored } = generateApiKey();
  await insertApiKey(database, { ...stored, ...ann });
  const runIds: Record<string, string> = {};
  try {
    const beginning = liveSituations.map(async (situation) => {
      runIds[situation.name] = await begin(stage, situation);
    });
    await Promise.all(beginning);
    for (const situation of inFlight) {
      stack.hold(situation.held, true);
      runIds[situation.name] = await begin(stage, situation);
    }
    await stack.stopConsumers();
    runIds[leftBehind.name] = await executeWithoutKafka(release, variables, apiKey);
  } finally {
    await Promise.all([stage.close(), stack.close()]);
  }
  const groups = new Map(
    eventSourcesOf(environment.topics, environment.kafkaGroupId).map((source) => [
      source.topic,
      source.consumerGroupId,
    ]),
  );
  const topics = [...Object.values(environment.topics), agentTopicOf(topicPrefix)];
  return {
    keptAtMs: Date.now(),
    topicPrefix,
    apiKey,
    secretKey: variables.STEPLINE_SECRET_KEY ?? '',
    tables: await readTables(variables.DATABASE_URL ?? ''),
    topics: await readTopics(environment.kafkaBrokers, topics, groups),
    calls: stage.calls,
    runIds,
  };
}

/** The API commits, and finds no broker: its messages stay in the outbox. @returns the run's id */
async function executeWithoutKafka(
  release: Release,
  variables: Readonly<Record<string, string>>,
  apiKey: string,
): Promise<string> {
  const { entry } = release.functions.api;
  const env = { ...variables, KAFKA_BROKERS: '127.0.0.1:1' };
  const api = functionProcesses({ name: 'api', entry, env, timeoutMs: 29_000 }, () => {});
  const gateway = await startApiGateway({ invoker: api });
  try {
    const client = createRunClient(gateway.url, { 'x-api-key': apiKey });
    const [workflow] = leftBehind.workflows({ seconds: KEPT_SECONDS });
    return await client.execute(await client.createWorkflow(workflow ?? {}));
  } finally {
    await gateway.stop();
    await api.stop();
  }
}
