import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../../shared/definition/string-pattern.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

describe('a pattern', () => {
  it.each<[pattern: string, text: string, matches: boolean]>([
    ['', '', true],
    ['', 'a', false],
    ['a', 'a', true],
    ['a', 'ab', false],
    ['*', '', true],
    ['*', 'anything\nat all', true],
    ['a*', 'abc', true],
    ['a*', 'ba', false],
    ['*.csv', 'x.csv', true],
    ['*.csv', 'x.csv2', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['*aab*', 'aaab', true],
    ['**', 'x', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\\\b', 'a\\b', true],
    ['log-\\**', 'log-*1', true],
    ['.+?[a]', '.+?[a]', true],
    ['.', 'x', false],
    ['*😀', 'a😀', true],
  ])('%j on %j: %s', (pattern, text, matches) => {
    expect(compilePattern(pattern)?.(text)).toBe(matches);
  });

  it.each(['\\', 'a\\b', '\\n', '*\\'])('%j is none', (pattern) => {
    expect(compilePattern(pattern)).toBeNull();
  });

  it('says what a regular expression would say', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 }).map((parts) => parts.join(''));
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(letters, text, (pattern, text) => {
        const expected = new RegExp(`^${pattern.replaceAll('*', '[^]*')}$`).test(text);
        expect(compilePattern(pattern)?.(text)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes time linear in the text, whatever it is', () => {
    const text = 'a'.repeat(262_144);
    const matches = compilePattern(`*${`${'a'.repeat(20_000)}b*`.repeat(3)}`)!;
    expect(cpuMsOf(() => expect(matches(text)).toBe(false))).toBeLessThan(5_000);
  });
});
