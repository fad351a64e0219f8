import { describe, expect, it } from 'vitest';
import { jsonDigest } from '../../../shared/engine/json-digest.ts';

describe('jsonDigest', () => {
  it('is the same whatever the order of keys, at any depth', () => {
    const given = { b: [1, { y: null, x: 'é😀' }], a: { d: true, c: 0.1 } };
    const stored = { a: { c: 0.1, d: true }, b: [1, { x: 'é😀', y: null }] };
    expect(jsonDigest(given)).toBe('4a9ca2eac7e06273');
    expect(jsonDigest(stored)).toBe('4a9ca2eac7e06273');
  });

  it('tells apart what differs in a value, a type, a place or an end', () => {
    const values = [
      null,
      false,
      0,
      1,
      -1,
      1e21,
      '',
      '0',
      'null',
      '\u0001',
      '\ud800',
      [],
      [[]],
      [null],
      [1, 2],
      [2, 1],
      [[1], 2],
      [1, [2]],
      {},
      { '': null },
      { a: 1 },
      { a: '1' },
      { a: { b: 1 } },
      { a: { b: 1 }, c: 2 },
      { a: { b: 1, c: 2 } },
      JSON.parse('{"__proto__": 1}'),
      JSON.parse('{"__proto__": 2}'),
    ];
    expect(new Set(values.map((value) => jsonDigest(value))).size).toBe(values.length);
  });

  it('tells apart a hundred thousand numbers, each alone and as the last of many', () => {
    const alone = new Set<string>();
    const last = new Set<string>();
    for (let i = 0; i < 100_000; i++) {
      alone.add(jsonDigest(i));
      last.add(jsonDigest({ rows: ['x', 'y'], now: i }));
    }
    expect([alone.size, last.size]).toEqual([100_000, 100_000]);
  });
});
