import { describe, expect, it } from 'vitest';
import { deepHealthOf, excessesOf } from '../../../functions/api/presenters/deep-health.ts';

const backlog = {
  last_tick_at: new Date('2026-11-30T10:00:00Z'),
  last_tick_age_seconds: 7,
  oldest_outbox_row_age_seconds: 90,
  run_due_lag_seconds: null,
  step_due_lag_seconds: 2,
  oldest_pending_run_age_seconds: 1,
};
const group = (lag: number, members: number) => [{ groupId: 'executors', topic: 'results', lag, members }];

describe('deep health', () => {
  it('tells what the database knows where Kafka tells nothing', () => {
    const health = deepHealthOf(backlog, null);
    expect(health).toEqual({
      timekeeper_tick_age_seconds: {
        value: 7,
        threshold: 120,
        is_over: false,
        last_tick_at: '2026-11-30T10:00:00.000Z',
      },
      oldest_outbox_row_age_seconds: { value: 90, threshold: 60, is_over: true },
      due_lag_seconds: { value: 2, threshold: 30, is_over: false },
      oldest_pending_run_age_seconds: { value: 1, threshold: 300, is_over: false },
      consumer_lag_records: null,
    });
    expect(excessesOf(health)).toEqual(['oldest_outbox_row_age_seconds', 'consumer_lag_records (unknown)']);
    // Why is said already.
    expect(excessesOf(health, ['kafka'])).toEqual(['oldest_outbox_row_age_seconds']);
  });

  it('tells what Kafka knows where the database tells nothing', () => {
    const health = deepHealthOf(null, group(10_001, 2));
    expect(health).toEqual({
      timekeeper_tick_age_seconds: null,
      oldest_outbox_row_age_seconds: null,
      due_lag_seconds: null,
      oldest_pending_run_age_seconds: null,
      consumer_lag_records: [
        {
          group_id: 'executors',
          topic: 'results',
          value: 10_001,
          threshold: 10_000,
          is_over: true,
          members: 2,
        },
      ],
    });
    expect(excessesOf(health, ['database'])).toEqual(['consumer_lag_records of executors']);
    expect(excessesOf(health)).toEqual([
      'timekeeper_tick_age_seconds (unknown)',
      'oldest_outbox_row_age_seconds (unknown)',
      'due_lag_seconds (unknown)',
      'oldest_pending_run_age_seconds (unknown)',
      'consumer_lag_records of executors',
    ]);
  });

  it.each([
    [0, 0, []],
    [1, 1, []],
    [1, 0, ['consumer_lag_records of executors (no consumer)']],
  ])('of %i records that wait for %i consumers says %j', (lag, members, said) => {
    const told = { ...backlog, oldest_outbox_row_age_seconds: null };
    expect(excessesOf(deepHealthOf(told, group(lag, members)))).toEqual(said);
  });
});
