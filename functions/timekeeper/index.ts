import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { connectDatabase, kafkaOptionsOf } from '../../shared/composition/connections.ts';
import { loadTimekeeperSettings } from '../../shared/config/environment.ts';
import { countRecords } from '../../shared/kafka/count-records.ts';
import { recordTick } from '../../shared/persistence/timekeeper-tick.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { reportGauges } from './gauges.ts';
import { openTimekeeper } from './open-timekeeper.ts';
import { purge } from './purge.ts';
import { removeRuns } from './remove-runs.ts';
import { createTicker } from './ticker.ts';

const settings = await loadTimekeeperSettings();
const { topics, auditRetentionDays, runRetentionDays } = settings;
const log = createLogger({ service: 'timekeeper', level: settings.logLevel });
const { database, look, wakeUnlikeWorkflows } = openTimekeeper(settings, (message, error) =>
  log.warn(message, error),
);
/** Its own connection: a month that goes is counted first, and no timer waits for that. */
const removals = connectDatabase(settings);

/**
 * EventBridge fires once a minute, timers to the second: an invocation looks again and again until just before the next one comes, which
 * then finds its environment free and does not need a second one.
 */
const LOOK_FOR_MS = 59_750;
const LOOK_EVERY_MS = 500;
/** Left over of the function's timeout for a look that is under way. */
const MARGIN_MS = 5_000;

export async function handler(
  _event: unknown,
  context: Pick<Context, 'getRemainingTimeInMillis' | 'functionName'>,
): Promise<void> {
  const end = performance.now() + Math.min(LOOK_FOR_MS, context.getRemainingTimeInMillis() - MARGIN_MS);
  // Beside the looks: no timer waits for Kafka to tell its offsets.
  const gauges = reportGauges({
    database,
    countRecords: (counted) => countRecords(kafkaOptionsOf(settings, 'timekeeper-gauges'), counted),
    deadLetterTopic: topics.deadLetter,
    onFailureTopic: topics.onFailure,
    functionName: context.functionName,
    // Not console.log, whose lines Lambda wraps.
    write: (line) => void process.stdout.write(`${line}\n`),
    clock: Date.now,
  }).catch((error: Error) => log.warn('The gauges were not read', error));
  const tick = createTicker({ record: () => recordTick(database), clock: () => performance.now() });
  const beside = wakeUnlikeWorkflows().catch((error: Error) =>
    log.warn('Runs that are not held as their workflow is wait for the next minute', error),
  );
  const removal = removeRuns(
    { database: removals, runRetentionDays, clock: () => performance.now() },
    end,
  ).catch((error: Error) => log.warn('Runs that are past their time stay until the next minute', error));
  let hasMoreToPurge = true;
  for (;;) {
    await tick().catch((error: Error) => log.warn('This tick is not recorded', error));
    await look();
    if (hasMoreToPurge) {
      hasMoreToPurge = await purge({ database, auditRetentionDays }).catch((error: Error) => {
        log.warn('What is past its time stays until the next minute', error);
        return false;
      });
    }
    if (performance.now() + LOOK_EVERY_MS >= end) break;
    await sleep(LOOK_EVERY_MS);
  }
  await Promise.all([gauges, beside, removal]);
}
