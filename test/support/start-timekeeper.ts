import { setTimeout as sleep } from 'node:timers/promises';
import { type FireDueTimesDeps, fireDueTimes } from '../../functions/timekeeper/fire-due-times.ts';
import { createKnownProgress } from '../../functions/timekeeper/known-progress.ts';
import { Pace } from '../../functions/timekeeper/pace.ts';
import {
  type PublishLeftBehindDeps,
  publishLeftBehind,
} from '../../functions/timekeeper/publish-left-behind.ts';
import type { EngineServices } from '../../shared/composition/engine-services.ts';
import type { Environment } from '../../shared/config/environment.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import { readProgress } from '../../shared/kafka/read-progress.ts';
import { createDueTimes } from '../../shared/persistence/due-times.ts';

/** The timekeeper's looks, in this process. @returns what stops them. */
export function startTimekeeper(
  { topics, kafkaGroupId, kafkaBrokers: brokers }: Environment,
  { database, producer, routeTasks }: EngineServices,
  lookEveryMs: number,
): () => Promise<void> {
  const clock = () => performance.now();
  const asking = eventSourcesOf(topics, kafkaGroupId).map(({ topic, consumerGroupId: groupId }) => ({
    topic,
    groupId,
  }));
  const deps: FireDueTimesDeps & PublishLeftBehindDeps = {
    database,
    producer,
    routeTasks,
    dueTimes: createDueTimes(database),
    topics,
    pace: new Pace(),
    readProgress: createKnownProgress({
      read: () => readProgress({ brokers, clientId: 'timekeeper' }, asking, Date.now(), 5_000),
      warn: () => {},
      clock,
    }),
    clock,
  };
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      for (const look of [fireDueTimes, publishLeftBehind]) await look(deps).catch(() => {});
      await sleep(lookEveryMs);
    }
  })();
  return async () => {
    stopped = true;
    await looking;
  };
}
