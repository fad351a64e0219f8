import { describe, expect, it } from 'vitest';
import { findPayloadProblem, parsePayload } from '../../../shared/messages/payload.ts';

const limits = { maxBytes: 1_000, maxJsonDepth: 4, maxJsonEntries: 6 };

function problemOf(text: string) {
  const parsed = parsePayload(text, limits);
  return parsed.ok ? null : parsed.problem;
}

describe('parsePayload', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['"text"', 'text'],
    ['-0.5e-3', -0.0005],
    ['{"a":[{"b":{}}]}', { a: [{ b: {} }] }],
    ['[1,2,3,4,5,6]', [1, 2, 3, 4, 5, 6]],
    ['"\\ud83d\\ude00"', '😀'],
    [' \n{"a": 1, "a": 2}', { a: 2 }],
    ['[0.1,1.0,0.10,1e3,12345678901234567000]', [0.1, 1, 0.1, 1_000, 12345678901234567000]],
    ['{"constructor":1,"toString":2}', { constructor: 1, toString: 2 }],
  ])('reads %s', (text, value) => {
    expect(parsePayload(text, limits)).toEqual({ ok: true, value });
  });

  it.each<[string, string, string, string]>([
    ['', 'NOT_JSON', '', 'expected JSON: Unexpected end of JSON input'],
    ['{"a":', 'NOT_JSON', '', 'expected JSON: Unexpected end of JSON input'],
    ['[[[[[]]]]]', 'TOO_DEEP', '0.0.0.0', 'expected at most 4 levels of nesting'],
    ['[1,2,3,4,5,6,7]', 'TOO_MANY_ENTRIES', '', 'expected at most 6 keys and items in all'],
    ['{"a":[1,2,3],"b":[4,5]}', 'TOO_MANY_ENTRIES', 'a', 'expected at most 6 keys and items in all'],
    ['{"a":[1e400]}', 'UNSTORABLE', 'a.0', 'expected a number that fits a double (below 1.8e308)'],
    [
      '{"a":[9007199254740993]}',
      'UNSTORABLE',
      'a.0',
      '9007199254740993 would become 9007199254740992; send it as text',
    ],
    ['1e-400', 'UNSTORABLE', '', '1e-400 would become 0; send it as text'],
    ['-1e400', 'UNSTORABLE', '', 'expected a number that fits a double (below 1.8e308)'],
    ['{"a":{"b":"\\u0000"}}', 'UNSTORABLE', 'a.b', 'expected text without the character U+0000'],
    ['"\\u0000"', 'UNSTORABLE', '', 'expected text without the character U+0000'],
    ['{"a":{"\\u0000":1}}', 'UNSTORABLE', 'a', 'a key here: expected text without the character U+0000'],
    ['["\\ud800"]', 'UNSTORABLE', '0', 'expected well-formed Unicode, got a lone surrogate'],
    ['{"\\udc00":1}', 'UNSTORABLE', '', 'a key here: expected well-formed Unicode, got a lone surrogate'],
    ['{"a":{"__proto__":{}}}', 'UNSTORABLE', 'a.__proto__', 'expected another key than __proto__'],
  ])('refuses %s with %s at "%s"', (text, code, path, message) => {
    expect(problemOf(text)).toEqual({ code, path, message });
  });

  it('counts the digits of numbers that an exponent makes short, as Postgres writes them out', () => {
    const options = { maxBytes: 100_000, maxJsonDepth: 4, maxJsonEntries: 10_000 };
    const numbers = (count: number, number: string) =>
      parsePayload(`{"a":[${Array(count).fill(number).join()}]}`, options);
    expect(numbers(848, '1e308')).toMatchObject({ ok: true });
    expect(numbers(848, '1e-308')).toMatchObject({ ok: true });
    expect(numbers(9_000, '123.456')).toMatchObject({ ok: true });
    const message = 'expected numbers of at most 262144 digits in all, written out without exponents';
    const problem = { code: 'TOO_LARGE', message };
    expect(numbers(849, '-1e308')).toEqual({ ok: false, problem: { ...problem, path: 'a.848' } });
    expect(numbers(900, '1e-308')).toMatchObject({ ok: false, problem });
  });

  it('counts bytes, not characters', () => {
    const options = { ...limits, maxBytes: 5 };
    expect(parsePayload('"€"', options)).toEqual({ ok: true, value: '€' });
    expect(parsePayload('"€€"', options)).toEqual({
      ok: false,
      problem: { code: 'TOO_LARGE', path: '', message: 'expected at most 5 bytes of JSON, got 8' },
    });
  });
});

describe('findPayloadProblem', () => {
  it('names a long key by its beginning', () => {
    const problem = findPayloadProblem({ ['k'.repeat(100_000)]: { a: '\u0000' } }, limits);
    expect(problem?.path).toBe(`${'k'.repeat(199)}….a`);
  });

  it('walks a million levels without a stack to overflow', () => {
    const deep: unknown = JSON.parse('['.repeat(1_000_000) + ']'.repeat(1_000_000));
    expect(findPayloadProblem(deep, { maxJsonDepth: 100, maxJsonEntries: 50_000 })?.code).toBe('TOO_DEEP');
  });
});
