import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../shared/engine/json.ts';
import { fitsInBytes } from '../../../shared/engine/json-size.ts';

describe('fitsInBytes', () => {
  it.each<[Json, number]>([
    [null, 4],
    ['', 2],
    ['abc', 5],
    ['é', 4],
    ['€', 5],
    ['😀', 6],
    ['"\\', 6],
    ['\ud800', 8],
    [{ a: [1, 2.5, true] }, 18],
    ['€'.repeat(1_000), 3_002],
  ])('%j is %i bytes', (value, bytes) => {
    expect(fitsInBytes(value, bytes)).toBe(true);
    expect(fitsInBytes(value, bytes - 1)).toBe(false);
  });

  it('counts numbers as a database writes them out', () => {
    expect(fitsInBytes(Array(100).fill(1e308), 20_000)).toBe(false);
    expect(fitsInBytes({ a: [-1e-300] }, 100)).toBe(false);
    expect(fitsInBytes({ a: [-1e-300] }, 400)).toBe(true);
  });

  it('counts as an encoder does, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 50 }),
        fc.integer({ min: 0, max: 200 }),
        (text, max) => {
          expect(fitsInBytes(text, max)).toBe(Buffer.byteLength(JSON.stringify(text)) <= max);
        },
      ),
    );
  });
});
