import { describe, expect, it } from 'vitest';
import { Overlay, writableOver } from '../../../shared/engine/overlay.ts';

const mapOf = (size: number) => new Map(Array.from({ length: size }, (_, i) => [`k${i}`, i]));

describe('what is written over a table', () => {
  it.each([3, 40])(
    'is what a copy of %d rows would be, in its order, and leaves the table as it is',
    (size) => {
      const before = mapOf(size);
      const copy = new Map(before);
      const over = writableOver(before);
      for (const each of [copy, over]) each.set('k1', -1).set('new', 7).set('k1', -2).set('new', 8);
      expect([...over]).toEqual([...copy]);
      expect([...over.keys()]).toEqual([...copy.keys()]);
      expect([...over.values()]).toEqual([...copy.values()]);
      expect(over.size).toBe(size + 1);
      expect([over.get('k1'), over.get('new'), over.get('none'), over.has('k2'), over.has('none')]).toEqual([
        -2,
        8,
        undefined,
        true,
        false,
      ]);
      expect([...before]).toEqual([...mapOf(size)]);
    },
  );

  it('stays as it is when it is written over in turn, however often', () => {
    let table: ReadonlyMap<string, number> = mapOf(40);
    const copy = new Map(table);
    const earlier: [ReadonlyMap<string, number>, [string, number][]][] = [];
    for (let i = 0; i < 200; i++) {
      earlier.push([table, [...copy]]);
      const next = writableOver(table);
      for (const each of [copy, next]) each.set(`k${(i * 7) % 120}`, 1_000 + i);
      table = next;
    }
    expect([...table]).toEqual([...copy]);
    for (const [was, rows] of earlier) expect([...was]).toEqual(rows);
  });

  it('holds a value that is undefined', () => {
    const over = new Overlay<number | undefined>(new Map([['k', 1]])).set('k', undefined);
    expect([over.has('k'), over.get('k'), over.size]).toEqual([true, undefined, 1]);
  });
});
