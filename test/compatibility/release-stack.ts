import { startApiGateway } from '../../localstack/api-gateway/api-gateway.ts';
import { EventSourceMapping } from '../../localstack/event-source/event-source-mapping.ts';
import { type FunctionProcesses, functionProcesses } from '../../localstack/function-process.ts';
import type { Invoker } from '../../localstack/invocation.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import type { TopicName } from '../../shared/config/topics.ts';
import type { RunWorld } from '../support/run-world.ts';
import type { CarryingFunction } from './carrying-functions.ts';
import type { Release } from './release.ts';

/** Functions of one or more releases on one database and the same topics, as a deployment has them while it goes on. */
export interface ReleaseStack {
  /** Who takes the work from now on: invocations go to each in turn, and each has a timekeeper. */
  serve(...releases: readonly Release[]): Promise<void>;
  /** A held topic keeps its records: nothing new of it is given to its function. */
  hold(topic: TopicName, held: boolean): void;
  /** What the database has refused functions since the last time, by whom: each thing once. */
  newComplaints(): string[];
  /** Nobody consumes any more, and nobody looks at the clock; the API goes on. */
  stopConsumers(): Promise<void>;
  close(): Promise<void>;
}

const TIMEOUTS_MS = {
  api: 29_000,
  'step-executor': 60_000,
  'http-bridge': 840_000,
  'lambda-bridge': 840_000,
  timekeeper: 65_000,
  migrate: 120_000,
} as const satisfies Record<CarryingFunction, number>;
const SERVING = ['api', 'step-executor', 'http-bridge', 'lambda-bridge'] as const;
/** How Postgres says that a statement and the schema do not fit. Kafka may be late on a busy machine, which is no complaint. */
const COMPLAINT =
  /(?:\b(?:column|relation|function|constraint|role|type) [^,]*?(?:does not exist|is not unique|is ambiguous)|permission denied[^,]*|[^:]* violates [^,]*)/;

export async function startReleaseStack(
  world: RunWorld,
  ...releases: readonly Release[]
): Promise<ReleaseStack> {
  const complaints = new Set<string>();
  let told = 0;
  const log = (source: string, line: string) => {
    const [complaint] = COMPLAINT.exec(line.replaceAll('\\"', '"')) ?? [];
    if (complaint !== undefined) complaints.add(`${source}: ${complaint}`);
  };
  const start = (release: Release, name: CarryingFunction) => startFunction(world, release, name, log);
  const processes = new Map(
    releases.map((release) => [release, SERVING.map((name) => start(release, name))] as const),
  );
  await Promise.all([...processes.values()].flat().map((each) => each.warm()));
  let serving: readonly Release[] = releases;

  /** The function of whichever release's turn it is. */
  const inTurn = (functionName: (typeof SERVING)[number]): Invoker => {
    let turn = 0;
    return {
      functionName,
      invoke(event, options) {
        const release = serving[turn++ % serving.length]!;
        return processes.get(release)![SERVING.indexOf(functionName)]!.invoke(event, options);
      },
    };
  };
  const functions = new Map<string, Invoker>(SERVING.map((name) => [name, inTurn(name)]));
  for (const [name, each] of functions) world.lambda.functions.set(name, each);
  const sources = eventSourcesOf(world.environment.topics, world.environment.kafkaGroupId);
  const mappings = sources.map(
    (settings) =>
      new EventSourceMapping({
        brokers: world.environment.kafkaBrokers,
        invoker: functions.get(settings.functionName)!,
        settings,
        tuning: { retryBackoffMs: { first: 20, longest: 500 } },
        log: (line) => log('mapping', line),
      }),
  );
  await Promise.all(mappings.map((mapping) => mapping.start()));
  const gateway = await startApiGateway({ port: world.port, invoker: functions.get('api')! });
  let timekeepers: FunctionProcesses[] = [];
  const stopTimekeepers = async () => {
    const stopping = timekeepers;
    timekeepers = [];
    await Promise.all(stopping.map((each) => each.stop()));
  };
  const stopConsumers = async () => {
    await Promise.all([stopTimekeepers(), ...mappings.map((mapping) => mapping.stop())]);
  };
  const serve: ReleaseStack['serve'] = async (...next) => {
    serving = next;
    await stopTimekeepers();
    timekeepers = next.map((release) => start(release, 'timekeeper'));
    await Promise.all(timekeepers.map((each) => each.warm()));
    for (const each of timekeepers) void each.invoke({});
  };
  await serve(...releases);
  return {
    serve,
    hold(topic, held) {
      const mapping =
        mappings[sources.findIndex((source) => source.topic === world.environment.topics[topic])];
      if (mapping === undefined) throw new Error(`Nothing consumes ${topic}`);
      mapping.paused = held;
    },
    newComplaints() {
      const all = [...complaints];
      const fresh = all.slice(told);
      told = all.length;
      return fresh;
    },
    stopConsumers,
    async close() {
      await Promise.all([gateway.stop(), stopConsumers()]);
      await Promise.all([...processes.values()].flat().map((each) => each.stop()));
    },
  };
}

/** A deployment's trigger: the schema, the users and their rights as the release has them. @throws what it says where it fails */
export async function migrateAs(
  release: Release,
  variables: Readonly<Record<string, string>>,
): Promise<string[]> {
  const { entry } = release.functions.migrate;
  const env = { ...variables, DATABASE_ROLES: 'true' };
  const settings = { name: 'migrate', entry, env, timeoutMs: TIMEOUTS_MS.migrate };
  const trigger = functionProcesses(settings, () => {});
  try {
    const result = await trigger.invoke({ topics: { partitions: 1, replicationFactor: 1 } });
    if (!result.ok) throw new Error(`migrate of the ${release.name} release: ${result.error.errorMessage}`);
    return (result.payload as { applied: string[] }).applied;
  } finally {
    await trigger.stop();
  }
}

function startFunction(
  world: RunWorld,
  release: Release,
  name: CarryingFunction,
  log: (source: string, line: string) => void,
): FunctionProcesses {
  const { entry, databaseUser } = release.functions[name];
  const env = {
    ...world.variables,
    DATABASE_URL: asUser(databaseUser, world.variables.DATABASE_URL!),
    LOG_LEVEL: 'WARN',
    AWS_ENDPOINT_URL_LAMBDA: world.lambda.url,
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
    NODE_OPTIONS: '--disable-warning=TimeoutNegativeWarning',
  };
  return functionProcesses({ name, entry, env, timeoutMs: TIMEOUTS_MS[name], maxConcurrency: 2 }, (_, line) =>
    log(`${release.name} ${name}`, line),
  );
}

/** With a function's own rights. Its users have no passwords, and belong to the whole server, which other tests use too. */
function asUser(user: string | null, databaseUrl: string): string {
  const url = new URL(databaseUrl);
  if (user !== null) url.searchParams.set('options', `-c role=${user}`);
  return url.href;
}
