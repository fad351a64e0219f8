import * as z from 'zod';
import { healthThresholds } from '../../../shared/config/health-thresholds.ts';
import type { ConsumerLag } from '../../../shared/kafka/consumer-lag.ts';
import type { Backlog } from '../../../shared/persistence/backlog.ts';
import { count, seconds, timestamp } from '../fields/response-fields.ts';

/** One thing that is watched. */
const measuredFields = {
  value: seconds.nullable().describe('Null where there is nothing to measure.'),
  threshold: count.meta({ examples: [60] }),
  is_over: z.boolean().meta({ examples: [false] }),
};

const age = z.strictObject(measuredFields).meta({ id: 'MeasuredAge' });
type Measured = z.infer<typeof age>;

const lag = z.strictObject({
  group_id: z.string(),
  topic: z.string(),
  ...measuredFields,
  members: count.describe('Consumers in the group. Where records wait and there is none, `is_over` is true.'),
});

/** What waits, and for how long, where everything is told. In the `details` of a refusal, what is not known is null. */
export const deepHealthFields = {
  timekeeper_tick_age_seconds: z.strictObject({ ...measuredFields, last_tick_at: timestamp.nullable() }),
  oldest_outbox_row_age_seconds: age,
  due_lag_seconds: age,
  oldest_pending_run_age_seconds: age,
  consumer_lag_records: z.array(lag),
};

const deepHealth = z.strictObject(deepHealthFields);
export type DeepHealth = z.infer<typeof deepHealth>;

/** Null where it is not known, since the database or Kafka did not tell. */
export type KnownHealth = { readonly [Name in keyof DeepHealth]: DeepHealth[Name] | null };

/** Each part without the other: how long messages have been left behind matters most while Kafka is away. */
export function deepHealthOf(backlog: Backlog | null, lags: readonly ConsumerLag[] | null): KnownHealth {
  return { ...(backlog === null ? unknownBacklog : backlogHealthOf(backlog)), ...lagHealthOf(lags) };
}

const unknownBacklog = {
  timekeeper_tick_age_seconds: null,
  oldest_outbox_row_age_seconds: null,
  due_lag_seconds: null,
  oldest_pending_run_age_seconds: null,
};

function backlogHealthOf(backlog: Backlog) {
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
  };
}

function lagHealthOf(lags: readonly ConsumerLag[] | null) {
  const groups = lags?.map(({ groupId, topic, lag, members }) => {
    const { is_over, ...measures } = measured(lag, healthThresholds.consumerLagRecords);
    const isLeft = lag > 0 && members === 0;
    return { group_id: groupId, topic, ...measures, is_over: is_over || isLeft, members };
  });
  return { consumer_lag_records: groups ?? null };
}

/** What is over its threshold, by name; groups by their id. What is not known is named too, unless `down` says why. */
export function excessesOf(health: KnownHealth, down: readonly ('database' | 'kafka')[] = []): string[] {
  const { consumer_lag_records: groups, ...single } = health;
  const unknown = (name: string, server: 'database' | 'kafka') =>
    down.includes(server) ? [] : [`${name} (unknown)`];
  return [
    ...Object.entries(single).flatMap(([name, measures]) => {
      if (measures === null) return unknown(name, 'database');
      return measures.is_over ? [name] : [];
    }),
    ...(groups === null
      ? unknown('consumer_lag_records', 'kafka')
      : groups.flatMap(({ group_id, is_over, members }) =>
          is_over ? [`consumer_lag_records of ${group_id}${members === 0 ? ' (no consumer)' : ''}`] : [],
        )),
  ];
}

function measured(value: number | null, threshold: number): Measured {
  return { value, threshold, is_over: value !== null && value > threshold };
}
