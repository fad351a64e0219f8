import { readBacklog } from '../../shared/persistence/backlog.ts';
import type { Database } from '../../shared/persistence/database.ts';

/** How many records a topic holds. */
export type CountRecords = (topics: readonly string[]) => Promise<ReadonlyMap<string, number>>;

export interface GaugesDeps {
  readonly database: Database;
  readonly countRecords: CountRecords;
  readonly deadLetterTopic: string;
  readonly onFailureTopic: string;
  /** One line of text. */
  readonly write: (line: string) => void;
  readonly functionName: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

const NAMESPACE = 'Stepline';

type Gauges = Readonly<Record<string, readonly [value: number, unit: 'Seconds' | 'Count']>>;

/**
 * What alarms watch that no service counts: how far behind the system is, and what nobody could deal with. Each is reported
 * without the other: how long messages have been left behind matters most while Kafka is away.
 * @throws what kept it from either, once the other is reported
 */
export async function reportGauges(deps: GaugesDeps): Promise<void> {
  const write = (gauges: Gauges) => deps.write(embeddedMetrics(deps.clock(), deps.functionName, gauges));
  const reported = await Promise.allSettled([
    readBacklogGauges(deps).then(write),
    countGauges(deps).then(write),
  ]);
  const failures = reported.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  if (failures.length > 0) throw failures[0];
}

async function readBacklogGauges({ database }: GaugesDeps): Promise<Gauges> {
  const backlog = await readBacklog(database);
  const timerLag = Math.max(backlog.run_due_lag_seconds ?? 0, backlog.step_due_lag_seconds ?? 0);
  return {
    OutboxAge: [backlog.oldest_outbox_row_age_seconds ?? 0, 'Seconds'],
    TimerLag: [timerLag, 'Seconds'],
    OldestPendingRun: [backlog.oldest_pending_run_age_seconds ?? 0, 'Seconds'],
  };
}

async function countGauges({ countRecords, deadLetterTopic, onFailureTopic }: GaugesDeps): Promise<Gauges> {
  const counts = await countRecords([deadLetterTopic, onFailureTopic]);
  return {
    DeadLetters: [counts.get(deadLetterTopic) ?? 0, 'Count'],
    GivenUpRecords: [counts.get(onFailureTopic) ?? 0, 'Count'],
  };
}

/** CloudWatch's embedded metric format: a line of the log that becomes metrics, without a call. */
function embeddedMetrics(timestamp: number, functionName: string, gauges: Gauges): string {
  const metrics = Object.entries(gauges).map(([Name, [, Unit]]) => ({ Name, Unit }));
  const values = Object.fromEntries(Object.entries(gauges).map(([name, [value]]) => [name, value]));
  const directive = { Namespace: NAMESPACE, Dimensions: [['FunctionName']], Metrics: metrics };
  return JSON.stringify({
    _aws: { Timestamp: timestamp, CloudWatchMetrics: [directive] },
    FunctionName: functionName,
    ...values,
  });
}
