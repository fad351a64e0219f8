import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../shared/config/environment.ts';
import { recordTick } from '../../shared/persistence/timekeeper-tick.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { purge } from './purge.ts';
import { fireDueTimes, publishLeftBehind, type TimekeeperDeps } from './timekeeper.ts';

const environment = readEnvironment();
const log = createLogger({ service: 'timekeeper', level: environment.logLevel });
const { database, producer, routeTasks } = createEngineServices(environment, 'timekeeper');
const deps: TimekeeperDeps = {
  database,
  producer,
  routeTasks,
  stepRequestsTopic: environment.topics.stepRequests,
};
const { auditRetentionDays } = environment;

/** EventBridge fires once a minute, timers to the second: an invocation looks again and again until the next one comes. */
const LOOK_FOR_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** Left over of the function's timeout for a look that is under way. */
const MARGIN_MS = 5_000;

export async function handler(
  _event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<void> {
  const end = performance.now() + Math.min(LOOK_FOR_MS, context.getRemainingTimeInMillis() - MARGIN_MS);
  let hasMoreToPurge = true;
  do {
    await recordTick(database).catch((error: Error) => log.warn('This tick is not recorded', error));
    // Neither keeps the other from its turn: timers fire while the outbox is stuck, and the other way round.
    for (const look of [fireDueTimes, publishLeftBehind]) {
      await look(deps).catch((error: Error) =>
        log.warn(`${look.name} failed and will be tried again`, error),
      );
    }
    if (hasMoreToPurge) {
      hasMoreToPurge = await purge({ database, auditRetentionDays }).catch((error: Error) => {
        log.warn('What is past its time stays until the next minute', error);
        return false;
      });
    }
    await sleep(LOOK_EVERY_MS);
  } while (performance.now() < end);
}
