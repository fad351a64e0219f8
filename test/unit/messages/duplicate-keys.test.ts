import { describe, expect, it } from 'vitest';
import { findDuplicateKeys } from '../../../shared/messages/duplicate-keys.ts';

const pathsIn = (text: string) => {
  JSON.parse(text);
  return findDuplicateKeys(text).map(({ path }) => path);
};

describe('keys that come twice', () => {
  it.each<[text: string, paths: string[]]>([
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"a":2,"a":3}', ['a', 'a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{"x":[{"a":1},{"b":{"c":1,"c":{}},"a":1}]}', ['x.1.b.c']],
    ['[[1,{"a":{},"a":[]}],{"a":1,"a":1}]', ['0.1.a', '1.a']],
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}', []],
    ['{"a":"a","b":"a","c":["a","a"]}', []],
    ['{"a":"{\\"b\\":1,\\"b\\":2}","b":"\\\\"}', []],
    ['{"\\"":1,"\\\\\\"":2,"":3,"":4}', ['']],
    ['{ "a" : 1 ,\n "a"\t: 2 }', ['a']],
    ['{"__proto__":1,"constructor":2,"__proto__":3}', ['__proto__']],
    ['"a"', []],
    ['[]', []],
    ['{}', []],
    ['null', []],
  ])('of %s are %j', (text, paths) => {
    expect(pathsIn(text)).toEqual(paths);
  });

  it('are found in a megabyte at once', () => {
    const letters = JSON.stringify({ a: 'x'.repeat(1_000_000) });
    const escapes = `{"a":"${'\\n'.repeat(500_000)}"}`;
    const keys = JSON.stringify(Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, [i]])));
    const before = performance.now();
    expect([letters, escapes, keys].flatMap(pathsIn)).toEqual([]);
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  it('are a hundred at the most', () => {
    expect(pathsIn(`{${'"a":1,'.repeat(500)}"a":1}`)).toHaveLength(100);
  });
});
