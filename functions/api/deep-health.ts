import { z } from 'zod';
import { healthThresholds } from '../../shared/config/health-thresholds.ts';
import type { ConsumerLag } from '../../shared/kafka/consumer-lag.ts';
import type { Backlog } from '../../shared/persistence/backlog.ts';
import { timestamp } from './response-fields.ts';

const measuredFields = {
  value: z.number().nullable().describe('Null where there is nothing to measure.'),
  threshold: z.number(),
  is_over: z.boolean(),
};
const watched = z.strictObject(measuredFields);

export const deepHealthFields = {
  timekeeper_tick_age_seconds: z.strictObject({ ...measuredFields, last_tick_at: timestamp.nullable() }),
  oldest_outbox_row_age_seconds: watched,
  due_lag_seconds: watched,
  oldest_pending_run_age_seconds: watched,
  consumer_lag_records: z
    .array(z.strictObject({ ...measuredFields, group_id: z.string(), topic: z.string() }))
    .nullable()
    .describe('Null where Kafka did not tell in time.'),
};

/** One thing that is watched. */
export type Measured = Readonly<z.infer<typeof watched>>;

export type DeepHealth = Readonly<z.infer<z.ZodObject<typeof deepHealthFields>>>;

/** @param lags null where Kafka did not tell. */
export function deepHealthOf(backlog: Backlog, lags: readonly ConsumerLag[] | null): DeepHealth {
  const t = healthThresholds;
  const dueLag = Math.max(backlog.run_due_lag_seconds ?? -1, backlog.step_due_lag_seconds ?? -1);
  const tick = measured(backlog.last_tick_age_seconds, t.timekeeperTickAgeSeconds);
  return {
    timekeeper_tick_age_seconds: {
      ...tick,
      // Never: it is not there.
      is_over: tick.is_over || tick.value === null,
      last_tick_at: backlog.last_tick_at?.toISOString() ?? null,
    },
    oldest_outbox_row_age_seconds: measured(
      backlog.oldest_outbox_row_age_seconds,
      t.oldestOutboxRowAgeSeconds,
    ),
    due_lag_seconds: measured(dueLag < 0 ? null : dueLag, t.dueLagSeconds),
    oldest_pending_run_age_seconds: measured(
      backlog.oldest_pending_run_age_seconds,
      t.oldestPendingRunAgeSeconds,
    ),
    consumer_lag_records:
      lags?.map(({ groupId, topic, lag }) => ({
        group_id: groupId,
        topic,
        ...measured(lag, t.consumerLagRecords),
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
