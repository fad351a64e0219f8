import { describe, expect, it } from 'vitest';
import { percentageOf, secondsToMs } from '../../../shared/engine/decimal.ts';

describe('a percentage of a count', () => {
  it.each([
    [375, 18.4, 69],
    [375, 18.39, 68],
    [1_000, 0.1, 1],
    [1_000, 0.29, 2],
    [3, 33.3, 0],
    [3, 100, 3],
    [10_000, 99.99, 9_999],
    [10_000, 0, 0],
    [10_000, 1e-7, 0],
    [1_000_000_000, 1e-7, 1],
    [10_000, 5e-324, 0],
    [10_000, 33.333333333333336, 3_333],
    [10_000, 99.99999999999999, 9_999],
  ])('of %i items %d %% are %i', (count, percentage, expected) => {
    expect(percentageOf(count, percentage)).toBe(expected);
  });

  it('is exact for each count of items that a map may have and each percentage of one decimal', () => {
    const wrong: string[] = [];
    let differs = 0;
    for (let tenths = 0; tenths <= 1_000; tenths++) {
      const percentage = Number(`${Math.floor(tenths / 10)}.${tenths % 10}`);
      for (let count = 1; count <= 10_000; count++) {
        // Whole numbers below 2^53 divide as they should.
        const product = count * tenths;
        const expected = (product - (product % 1_000)) / 1_000;
        if (Math.floor((count * percentage) / 100) === expected) continue;
        differs++;
        if (percentageOf(count, percentage) !== expected) wrong.push(`${percentage} % of ${count}`);
      }
    }
    expect(wrong).toEqual([]);
    // What doubles would get wrong.
    expect(differs).toBe(803);
  });

  it.each(Array.from({ length: 21 }, (_, i) => i * 50))('of %i tenths is exact for every count', (tenths) => {
    for (let count = 0; count <= 10_000; count++) {
      const product = count * tenths;
      expect(percentageOf(count, tenths / 10)).toBe((product - (product % 1_000)) / 1_000);
    }
  });
});

describe('seconds in milliseconds', () => {
  it.each([
    [1, 1_000],
    [0.001, 1],
    [0.0001, 1],
    [1.0001, 1_001],
    [4.035, 4_035],
    [1.001, 1_001],
    [8.2, 8_200],
    [1e-7, 1],
    [5e-324, 1],
    [31_536_000, 31_536_000_000],
    [1e21, 1e24],
    [0, 0],
  ])('%d s are %i ms, rounded up', (seconds, expected) => {
    expect(secondsToMs(seconds)).toBe(expected);
  });

  it('of every thousandth is that many', () => {
    const wrong: number[] = [];
    for (let ms = 1; ms <= 100_000; ms++) if (secondsToMs(Number(`${ms}e-3`)) !== ms) wrong.push(ms);
    expect(wrong).toEqual([]);
  });
});
