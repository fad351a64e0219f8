import { describe, expect, it } from 'vitest';
import { findChangedNumbers, findParsingLosses } from '../../../shared/messages/parsing-losses.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

const pathsIn = (text: string) => {
  JSON.parse(text);
  return findParsingLosses(text).map(({ path }) => path);
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
    const find = () => expect([letters, escapes, keys].flatMap(pathsIn)).toEqual([]);
    expect(cpuMsOf(find)).toBeLessThan(5_000);
  });

  it('are named by the beginning of a long key', () => {
    expect(pathsIn(`{"${'k'.repeat(100_000)}":{"a":1,"a":2}}`)).toEqual([`${'k'.repeat(199)}….a`]);
  });

  it('are a hundred at the most', () => {
    expect(pathsIn(`{${'"a":1,'.repeat(500)}"a":1}`)).toHaveLength(100);
  });
});

describe('numbers that no double holds', () => {
  it.each<[text: string, paths: string[]]>([
    ['{"id":9007199254740993}', ['id']],
    ['{"id":-12345678901234567890}', ['id']],
    ['[1,[2,{"a":[0,12345678901234567890]}]]', ['1.1.a.1']],
    ['12345678901234567890', ['']],
    ['[12345678901234567890.0,1.2345678901234567891,12345678901234567890e1]', ['0', '1', '2']],
    ['[1e-400,1E-999,0.1e-330]', ['0', '1', '2']],
    // These are doubles.
    ['[9007199254740991,9007199254740992,1152921504606846976]', []],
    ['{"id":"12345678901234567890","12345678901234567890":1}', []],
    // Told by who looks at numbers.
    [`[${'9'.repeat(400)}]`, []],
  ])('of %s are %j', (text, paths) => {
    expect(pathsIn(text)).toEqual(paths);
    expect(findChangedNumbers(text).map(({ path }) => path)).toEqual(paths);
  });

  it('are told with what they would become', () => {
    expect(findChangedNumbers(`[9007199254740993,0.${'3'.repeat(100)}]`)).toEqual([
      { path: '0', message: '9007199254740993 would become 9007199254740992; send it as text' },
      { path: '1', message: `0.${'3'.repeat(57)}… would become 0.3333333333333333; send it as text` },
    ]);
  });

  it('are told of one field, where that is asked', () => {
    const text = '{"a":9007199254740993,"b":{"a":9007199254740993},"c":[{"b":9007199254740993}]}';
    expect(findChangedNumbers(text, 'b').map(({ path }) => path)).toEqual(['b.a']);
    expect(findChangedNumbers(text, 'd')).toEqual([]);
  });

  it('and no keys that come twice, which agents may send', () => {
    expect(findChangedNumbers('{"a":1,"a":1e200,"a":9007199254740993}').map(({ path }) => path)).toEqual([
      'a',
    ]);
  });

  it('are told from a million digits, and beside a million levels, in no time', () => {
    const find = () => {
      expect(pathsIn(`[${'9'.repeat(1_000_000)},1${'0'.repeat(300)}]`)).toEqual([]);
      const deep = `{"x":${'['.repeat(1_000_000)}9007199254740993${']'.repeat(1_000_000)},"y":1e300}`;
      expect(findChangedNumbers(deep, 'y')).toEqual([]);
      const hex = `{"a":"${'e123'.repeat(60_000)}","b":[${'1e300,'.repeat(40_000)}0.1000000000000001]}`;
      expect(findChangedNumbers(hex)).toEqual([]);
    };
    expect(cpuMsOf(find)).toBeLessThan(5_000);
  });
});
