import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import { withAgentClocks } from '../../shared/application/agent-clocks.ts';
import { createRouteTasks } from '../../shared/application/route-tasks.ts';
import { connectAgentRegistry } from '../../shared/composition/agent-services.ts';
import { connectDatabase, connectProducer, kafkaOptionsOf } from '../../shared/composition/connections.ts';
import { loadTimekeeperSettings } from '../../shared/config/environment.ts';
import { eventSourcesOf } from '../../shared/config/event-sources.ts';
import { countRecords } from '../../shared/kafka/count-records.ts';
import { readProgress } from '../../shared/kafka/read-progress.ts';
import { createAgentClocks } from '../../shared/persistence/agent-calls.ts';
import { createDueTimes } from '../../shared/persistence/due-times.ts';
import { recordTick } from '../../shared/persistence/timekeeper-tick.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { type FireDueTimesDeps, fireDueTimes } from './fire-due-times.ts';
import { reportGauges } from './gauges.ts';
import { createKnownProgress } from './known-progress.ts';
import { Pace } from './pace.ts';
import { type PublishLeftBehindDeps, publishLeftBehind } from './publish-left-behind.ts';
import { purge } from './purge.ts';
import { removeRuns } from './remove-runs.ts';
import { createTicker } from './ticker.ts';
import { wakeUnlikeWorkflows } from './wake-unlike-workflows.ts';

const settings = await loadTimekeeperSettings();
const { topics, auditRetentionDays, runRetentionDays } = settings;
const log = createLogger({ service: 'timekeeper', level: settings.logLevel });
const database = connectDatabase(settings);
/** Its own connection: a month that goes is counted first, and no timer waits for that. */
const removals = connectDatabase(settings);
const producer = withAgentClocks({
  publisher: connectProducer(settings, topics, 'timekeeper'),
  agentClocks: createAgentClocks(database),
  clock: { now: Date.now },
});
const routeTasks = createRouteTasks({ registry: connectAgentRegistry(settings, Date.now), topics });
const clock = () => performance.now();
/** Who reads what the executor is asked by. */
const asking = eventSourcesOf(topics, settings.kafkaGroupId)
  .filter(({ topic }) => topic === topics.stepRequests || topic === topics.executionRequests)
  .map(({ topic, consumerGroupId: groupId }) => ({ topic, groupId }));
const deps: FireDueTimesDeps & PublishLeftBehindDeps = {
  database,
  producer,
  routeTasks,
  dueTimes: createDueTimes(database),
  topics,
  pace: new Pace(),
  readProgress: createKnownProgress({
    read: () => readProgress(kafkaOptionsOf(settings, 'timekeeper-lag'), asking, Date.now(), PROGRESS_FOR_MS),
    warn: (message, error) => log.warn(message, error),
    clock,
  }),
  clock,
};

/**
 * EventBridge fires once a minute, timers to the second: an invocation looks again and again until just before the next one comes, which
 * then finds its environment free and does not need a second one.
 */
const LOOK_FOR_MS = 59_750;
const LOOK_EVERY_MS = 500;
/** A look waits so long, at most, for Kafka to tell how far its topics are read. */
const PROGRESS_FOR_MS = 2_000;
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
  const tick = createTicker({ record: () => recordTick(database), clock: deps.clock });
  const beside = wakeUnlikeWorkflows(deps).catch((error: Error) =>
    log.warn('Runs that are not held as their workflow is wait for the next minute', error),
  );
  const removal = removeRuns({ database: removals, runRetentionDays, clock: deps.clock }, end).catch(
    (error: Error) => log.warn('Runs that are past their time stay until the next minute', error),
  );
  let hasMoreToPurge = true;
  for (;;) {
    await tick().catch((error: Error) => log.warn('This tick is not recorded', error));
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
    if (performance.now() + LOOK_EVERY_MS >= end) break;
    await sleep(LOOK_EVERY_MS);
  }
  await Promise.all([gauges, beside, removal]);
}
