import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { connectDatabase, connectProducer, kafkaOptionsOf } from '../../shared/composition/connections.ts';
import { loadConnections } from '../../shared/config/environment.ts';
import { countRecords } from '../../shared/kafka/count-records.ts';
import { removeFullBuckets } from '../../shared/persistence/rate-limits.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { reportGauges } from './gauges.ts';
import { fireDueTimes, publishLeftBehind, type TimekeeperDeps } from './timekeeper.ts';

const connections = await loadConnections();
const log = createLogger({ service: 'timekeeper', level: connections.logLevel });
const database = connectDatabase(connections);
const producer = connectProducer(connections, 'timekeeper');
const deps: TimekeeperDeps = { database, producer, stepRequestsTopic: connections.topics.stepRequests };

/** EventBridge fires once a minute, timers to the second: an invocation looks again and again until the next one comes. */
const LOOK_FOR_MS = 60_000;
const LOOK_EVERY_MS = 500;
/** Left over of the function's timeout for a look that is under way. */
const MARGIN_MS = 5_000;

export async function handler(
  _event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis' | 'functionName'>,
): Promise<void> {
  const end = performance.now() + Math.min(LOOK_FOR_MS, context.getRemainingTimeInMillis() - MARGIN_MS);
  await removeFullBuckets(database).catch((error: Error) =>
    log.warn('Old rate limits stay until the next time', error),
  );
  await reportGauges({
    database,
    countRecords: (topics) => countRecords(kafkaOptionsOf(connections, 'timekeeper-gauges'), topics),
    deadLetterTopic: connections.topics.deadLetter,
    onFailureTopic: connections.topics.onFailure,
    functionName: context.functionName,
    // Not console.log, whose lines Lambda wraps.
    write: (line) => void process.stdout.write(`${line}\n`),
    clock: Date.now,
  }).catch((error: Error) => log.warn('The gauges were not read', error));
  do {
    // Neither keeps the other from its turn: timers fire while the outbox is stuck, and the other way round.
    for (const look of [fireDueTimes, publishLeftBehind]) {
      await look(deps).catch((error: Error) =>
        log.warn(`${look.name} failed and will be tried again`, error),
      );
    }
    await sleep(LOOK_EVERY_MS);
  } while (performance.now() < end);
}
