import { v7 as uuidv7 } from 'uuid';
import { createTokens, type Tokens } from '../agents/tokens.ts';
import { withAgentClocks } from '../application/agent-clocks.ts';
import { PlanCache } from '../application/plan-cache.ts';
import type { Clock, Outbox } from '../application/ports/publishing.ts';
import type { RunStore } from '../application/ports/run-store.ts';
import { createProcessBatch, type ProcessBatch } from '../application/process-batch.ts';
import {
  createPublishCommitted,
  createPublishEntries,
  type PublishCommitted,
  type PublishCommittedDeps,
  type PublishEntries,
} from '../application/publish-entries.ts';
import { createRouteTasks, type RouteTasks } from '../application/route-tasks.ts';
import { createStartRun, type StartRun } from '../application/start-run.ts';
import { WarmRuns } from '../application/warm-runs.ts';
import type { Environment } from '../config/environment.ts';
import { planDefaults } from '../config/plan-defaults.ts';
import type { RecordProducer } from '../kafka/producer.ts';
import { createAgentClocks } from '../persistence/agent-calls.ts';
import type { Database } from '../persistence/database.ts';
import { type CountDeadLetters, createCountDeadLetters } from '../persistence/dead-letter-counts.ts';
import { createNewRuns } from '../persistence/new-runs.ts';
import { createOutbox, publishedEntries } from '../persistence/outbox.ts';
import type { PublishedEntries } from '../persistence/published-entries.ts';
import { createRunStore } from '../persistence/run-store.ts';
import { connectAgentRegistry } from './agent-services.ts';
import { connectDatabase, connectProducer } from './connections.ts';

/** What the functions that decide about runs are made of. One set for each execution environment. */
export interface EngineServices {
  readonly database: Database;
  readonly producer: RecordProducer;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly plans: PlanCache;
  readonly processBatch: ProcessBatch;
  readonly startRun: StartRun;
  readonly publishEntries: PublishEntries;
  readonly routeTasks: RouteTasks;
  readonly countDeadLetters: CountDeadLetters;
  readonly published: Pick<PublishedEntries, 'rest'>;
  close(): Promise<void>;
}

/** The services' ways out of the process: what a test wraps to stop it between two of them. */
export interface EngineDrivers {
  readonly store: RunStore;
  readonly outbox: Outbox;
  readonly producer: RecordProducer;
}

/** What publishing a decision is made of, where that is more than publishing. */
export interface PublishingParts
  extends PublishCommittedDeps,
    Pick<EngineServices, 'database' | 'tokens' | 'clock'> {}

export function createEngineServices(
  environment: Environment,
  service: string,
  wrap: (drivers: EngineDrivers) => EngineDrivers = (drivers) => drivers,
  publishing: (parts: PublishingParts) => PublishCommitted = createPublishCommitted,
): EngineServices {
  const { topics } = environment;
  const clock: Clock = { now: () => Date.now() };
  const database = connectDatabase(environment);
  const published = publishedEntries(database);
  const { store, outbox, producer } = wrap({
    store: createRunStore(database, published),
    outbox: createOutbox(database, published),
    producer: connectProducer(environment, topics, service),
  });
  const tokens = createTokens(environment.secretKey);
  const agentClocks = createAgentClocks(database);
  const publisher = withAgentClocks({ publisher: producer, agentClocks, clock });
  const publishEntries = createPublishEntries({ publisher, outbox });
  const registry = connectAgentRegistry(environment, clock.now);
  const routeTasks = createRouteTasks({ registry, topics });
  const plans = new PlanCache({ ...planDefaults, ...environment.runLimits });
  const draws = { id: () => uuidv7(), jitter: () => Math.random() };

  return {
    database,
    producer,
    tokens,
    clock,
    plans,
    publishEntries,
    routeTasks,
    countDeadLetters: createCountDeadLetters(database),
    published,
    processBatch: createProcessBatch({
      store,
      plans,
      warmRuns: new WarmRuns(),
      topics,
      tokens,
      clock,
      draws,
      publishCommitted: publishing({ publisher, outbox, routeTasks, database, tokens, clock }),
    }),
    startRun: createStartRun({
      runs: createNewRuns(database, published),
      topics,
      clock,
      nextId: draws.id,
      publishEntries,
      planDefaults,
    }),
    async close() {
      await published.flush().catch(() => {});
      await Promise.allSettled([producer.close(), database.close()]);
    },
  };
}
