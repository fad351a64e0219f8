import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { jsonSchemaOf } from '../../../shared/documents/json-schema.ts';
import { atMostCharacters, countCharacters } from '../../../shared/validation/characters.ts';

it.each([
  ['', 0],
  ['a', 1],
  ['😀', 1],
  ['a😀b', 3],
  ['e\u0301', 2],
  ['\ud83d', 1],
  ['\ude00\ud83d', 2],
  ['\ud83d\ud83d\ude00', 2],
  ['a😀\ude00', 3],
  ['😀'.repeat(1_000), 1_000],
])('%j has %i characters', (text, expected) => {
  expect(countCharacters(text)).toBe(expected);
});

describe('a text of at most three characters', () => {
  const schema = z
    .string()
    .min(1)
    .check(atMostCharacters(3))
    .regex(/^[^b]*$/u);

  it.each([
    ['😀😀😀', true],
    ['abc', false],
    ['😀😀😀😀', false],
    ['aaaa', false],
    ['', false],
  ])('%j: %j', (text, expected) => {
    expect(schema.safeParse(text).success).toBe(expected);
  });

  it('says so, and is documented so', () => {
    expect(schema.safeParse('😀😀😀😀').error?.issues).toMatchObject([
      { message: 'expected at most 3 characters' },
    ]);
    expect(jsonSchemaOf(schema, 'input')).toMatchObject({ type: 'string', minLength: 1, maxLength: 3 });
  });
});
