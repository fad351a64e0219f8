import * as z from 'zod';
import { healthThresholds } from '../../shared/config/health-thresholds.ts';
import type { ConsumerLag } from '../../shared/kafka/consumer-lag.ts';
import type { Backlog } from '../../shared/persistence/backlog.ts';
import { count, seconds, timestamp } from './response-fields.ts';

/** One thing that is watched. */
const measuredFields = {
  value: seconds.nullable().describe('Null where there is nothing to measure.'),
  threshold: count.meta({ examples: [60] }),
  is_over: z.boolean().meta({ examples: [false] }),
};

const age = z.strictObject(measuredFields).meta({ id: 'MeasuredAge' });
type Measured = z.infer<typeof age>;

const lag = z.strictObject({ group_id: z.string(), topic: z.string(), ...measuredFields });

/** What waits, and for how long. */
export const deepHealthFields = {
  timekeeper_tick_age_seconds: z.strictObject({ ...measuredFields, last_tick_at: timestamp.nullable() }),
  oldest_outbox_row_age_seconds: age,
  due_lag_seconds: age,
  oldest_pending_run_age_seconds: age,
  consumer_lag_records: z.array(lag).nullable().describe('Null: Kafka did not tell in time.'),
};

const deepHealth = z.strictObject(deepHealthFields);
export type DeepHealth = z.infer<typeof deepHealth>;

/** @param lags null where Kafka did not tell. */
export function deepHealthOf(backlog: Backlog, lags: readonly ConsumerLag[] | null): DeepHealth {
  const dueLag = Math.max(backlog.run_due_lag_seconds ?? -1, backlog.step_due_lag_seconds ?? -1);
  const tick = measured(backlog.last_tick_age_seconds, healthThresholds.timekeeperTickAgeSeconds);
  return {
    timekeeper_tick_age_seconds: {
      ...tick,
      // Never: it is not there.
      is_over: tick.is_over || tick.value === null,
      last_tick_at: backlog.last_tick_at?.toISOString() ?? null,
    },
    oldest_outbox_row_age_seconds: measured(
      backlog.oldest_outbox_row_age_seconds,
      healthThresholds.oldestOutboxRowAgeSeconds,
    ),
    due_lag_seconds: measured(dueLag < 0 ? null : dueLag, healthThresholds.dueLagSeconds),
    oldest_pending_run_age_seconds: measured(
      backlog.oldest_pending_run_age_seconds,
      healthThresholds.oldestPendingRunAgeSeconds,
    ),
    consumer_lag_records:
      lags?.map(({ groupId, topic, lag }) => ({
        group_id: groupId,
        topic,
        ...measured(lag, healthThresholds.consumerLagRecords),
      })) ?? null,
  };
}

/** What is over its threshold, by name; groups by their id. */
export function excessesOf(health: DeepHealth): string[] {
  const { consumer_lag_records: groups, ...single } = health;
  return [
    ...Object.entries(single).flatMap(([name, { is_over }]) => (is_over ? [name] : [])),
    ...(groups === null
      ? ['consumer_lag_records (unknown)']
      : groups.flatMap(({ group_id, is_over }) => (is_over ? [`consumer_lag_records of ${group_id}`] : []))),
  ];
}

function measured(value: number | null, threshold: number): Measured {
  return { value, threshold, is_over: value !== null && value > threshold };
}
