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

/** What alarms watch that no service counts: how far behind the system is, and what nobody could deal with. */
export async function reportGauges(deps: GaugesDeps): Promise<void> {
  const { deadLetterTopic, onFailureTopic } = deps;
  const [backlog, counts] = await Promise.all([
    readBacklog(deps.database),
    deps.countRecords([deadLetterTopic, onFailureTopic]),
  ]);
  const timerLag = Math.max(backlog.run_due_lag_seconds ?? 0, backlog.step_due_lag_seconds ?? 0);
  deps.write(
    embeddedMetrics(deps.clock(), deps.functionName, {
      OutboxAge: [backlog.oldest_outbox_row_age_seconds ?? 0, 'Seconds'],
      TimerLag: [timerLag, 'Seconds'],
      OldestPendingRun: [backlog.oldest_pending_run_age_seconds ?? 0, 'Seconds'],
      DeadLetters: [counts.get(deadLetterTopic) ?? 0, 'Count'],
      GivenUpRecords: [counts.get(onFailureTopic) ?? 0, 'Count'],
    }),
  );
}

/** CloudWatch's embedded metric format: a line of the log that becomes metrics, without a call. */
function embeddedMetrics(
  timestamp: number,
  functionName: string,
  gauges: Readonly<Record<string, readonly [value: number, unit: 'Seconds' | 'Count']>>,
): string {
  const metrics = Object.entries(gauges).map(([Name, [, Unit]]) => ({ Name, Unit }));
  const values = Object.fromEntries(Object.entries(gauges).map(([name, [value]]) => [name, value]));
  const directive = { Namespace: NAMESPACE, Dimensions: [['FunctionName']], Metrics: metrics };
  return JSON.stringify({
    _aws: { Timestamp: timestamp, CloudWatchMetrics: [directive] },
    FunctionName: functionName,
    ...values,
  });
}
