import { describe, expect, it } from 'vitest';
import { createTicker } from '../../../functions/timekeeper/ticker.ts';
import { healthThresholds } from '../../../shared/config/health-thresholds.ts';

const LOOK_EVERY_MS = 500;

/** A minute of looks. @returns when it was recorded, in milliseconds from its beginning */
async function minuteOf(record: (now: number) => void): Promise<number[]> {
  let now = 0;
  const recorded: number[] = [];
  const tick = createTicker({
    clock: () => now,
    record: async () => {
      record(now);
      recorded.push(now);
    },
  });
  for (; now < 60_000; now += LOOK_EVERY_MS) await tick().catch(() => {});
  return recorded;
}

describe('that the timekeeper is there', () => {
  it('is recorded at its first look, and then every twenty seconds, long before anybody misses it', async () => {
    expect(await minuteOf(() => {})).toEqual([0, 20_000, 40_000]);
    expect(healthThresholds.timekeeperTickAgeSeconds).toBeGreaterThanOrEqual(3 * 20);
  });

  it('is recorded at the next look where it could not be', async () => {
    const recorded = await minuteOf((now) => {
      if (now < 1_200) throw new Error('no database');
    });
    expect(recorded).toEqual([1_500, 21_500, 41_500]);
  });
});
