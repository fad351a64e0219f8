import { withAgentClocks } from '../../shared/application/agent-clocks.ts';
import { createRouteTasks } from '../../shared/application/route-tasks.ts';
import { connectAgentRegistry } from '../../shared/composition/agent-services.ts';
import { connectDatabase, connectProducer, kafkaOptionsOf } from '../../shared/composition/connections.ts';
import type { Connections, TimekeeperSettings } from '../../shared/config/environment.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import { readProgress } from '../../shared/kafka/read-progress.ts';
import { createAgentClocks } from '../../shared/persistence/agent-calls.ts';
import type { Database } from '../../shared/persistence/database.ts';
import { createDueTimes } from '../../shared/persistence/due-times.ts';
import { type FireDueTimesDeps, fireDueTimes } from './fire-due-times.ts';
import { createKnownProgress } from './known-progress.ts';
import { Pace } from './pace.ts';
import { type PublishLeftBehindDeps, publishLeftBehind } from './publish-left-behind.ts';
import { wakeUnlikeWorkflows } from './wake-unlike-workflows.ts';

export interface OpenTimekeeper {
  readonly database: Database;
  /** Fires what is due and publishes what was left behind. Never rejects. */
  look(): Promise<void>;
  /** Wakes runs that are not held as their workflow is. */
  wakeUnlikeWorkflows(): Promise<number>;
  close(): Promise<void>;
}

/** A look waits so long, at most, for Kafka to tell how far its topics are read. */
const PROGRESS_FOR_MS = 2_000;

/** The timekeeper with its real database and broker. They connect at the first use. */
export function openTimekeeper(
  settings: Connections & Pick<TimekeeperSettings, 'agentRegistryUrl'>,
  warn: (message: string, error: Error) => void,
): OpenTimekeeper {
  const { topics, kafkaGroupId } = settings;
  const database = connectDatabase(settings);
  const producer = withAgentClocks({
    publisher: connectProducer(settings, topics, 'timekeeper'),
    agentClocks: createAgentClocks(database),
    clock: { now: Date.now },
  });
  const clock = () => performance.now();
  /** Who reads what the executor is asked by. */
  const asking = eventSourcesOf(topics, kafkaGroupId)
    .filter(({ topic }) => topic === topics.stepRequests || topic === topics.executionRequests)
    .map(({ topic, consumerGroupId: groupId }) => ({ topic, groupId }));
  const deps: FireDueTimesDeps & PublishLeftBehindDeps = {
    database,
    producer,
    routeTasks: createRouteTasks({ registry: connectAgentRegistry(settings, Date.now), topics }),
    dueTimes: createDueTimes(database),
    topics,
    pace: new Pace(),
    readProgress: createKnownProgress({
      read: () =>
        readProgress(kafkaOptionsOf(settings, 'timekeeper-lag'), asking, Date.now(), PROGRESS_FOR_MS),
      warn,
      clock,
    }),
    clock,
  };
  return {
    database,
    async look() {
      // Neither keeps the other from its turn: timers fire while the outbox is stuck, and the other way round.
      for (const look of [fireDueTimes, publishLeftBehind]) {
        await look(deps).catch((error: Error) => warn(`${look.name} failed and will be tried again`, error));
      }
    },
    wakeUnlikeWorkflows: () => wakeUnlikeWorkflows(deps),
    async close() {
      await Promise.allSettled([producer.close(), database.close()]);
    },
  };
}
