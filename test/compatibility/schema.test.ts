import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createEmptyDatabase, type FreshDatabase } from '../support/fresh-database.ts';
import { declaredContracts } from './declared-contracts.ts';
import { keptRelease } from './kept-release.ts';
import { currentRelease, previousRelease } from './release.ts';
import { migrateAs } from './release-stack.ts';
import { lostUses, readSchemaUses, type SchemaUses } from './schema-uses.ts';

/*
 * The schema grows, and shrinks a release later: what the previous release may use is there and takes what it took. The other tests
 * show it in what they run; this one for all columns and functions at once, and in words.
 */

const previous = previousRelease();
const current = currentRelease();
let database: FreshDatabase;
let variables: Record<string, string>;
const schemas: Record<'previous' | 'current' | 'rolledBack' | 'again', SchemaUses | undefined> = {
  previous: undefined,
  current: undefined,
  rolledBack: undefined,
  again: undefined,
};
const applied: string[][] = [];

beforeAll(async () => {
  database = await createEmptyDatabase(inject('databaseUrl'), 'test');
  variables = {
    DATABASE_URL: database.url,
    KAFKA_BROKERS: inject('kafkaBrokers'),
    KAFKA_TOPIC_PREFIX: 'schemas.',
  };
  for (const [name, release] of [
    ['previous', previous],
    ['current', current],
    // Deployed once more, which is how a release is taken back.
    ['rolledBack', previous],
    ['again', current],
  ] as const) {
    applied.push(await migrateAs(release, variables));
    schemas[name] = await readSchemaUses(database.url);
  }
});
afterAll(() => database?.drop());

test('the previous release can still do what it did, but for what is declared', () => {
  const declared = declaredContracts(keptRelease().newestMigration);
  const lost = lostUses(schemas.previous!, schemas.current!);
  expect(lost.filter((line) => !declared.includes(line.split(/[ (]/, 1)[0] ?? ''))).toEqual([]);
});

test('taking the release back removes nothing of the schema, and the next deployment finds it as it was', () => {
  expect(lostUses(schemas.current!, schemas.rolledBack!)).toEqual([]);
  expect(schemas.again).toEqual(schemas.current);
  expect(applied[0]?.at(-1)).toBe(`${keptRelease().newestMigration}.sql`);
  expect(applied.slice(2)).toEqual([[], []]);
});

describe('a change that breaks the previous release is told', () => {
  const column = { type: 'text', isNullable: true, mayBeLeftOut: true };
  const before: SchemaUses = {
    columns: new Map([
      ['runs.a', column],
      ['runs.b', column],
    ]),
    functions: new Map([['f', ['(a text) returns void']]]),
  };
  test.each([
    ['a column that is dropped', { columns: new Map([['runs.a', column]]) }, ['runs.b is gone']],
    [
      'a column of another type, and one that must be there',
      {
        columns: new Map([
          ['runs.a', { ...column, type: 'bigint' }],
          ['runs.b', { ...column, isNullable: false }],
        ]),
      },
      ['runs.a was text and is bigint', 'runs.b does not take null any more'],
    ],
    [
      'a new column that has to be given',
      {
        columns: new Map([
          ...before.columns,
          ['runs.c', { ...column, isNullable: false, mayBeLeftOut: false }],
        ]),
      },
      ['runs.c is new, and has to be given: rows cannot be inserted without it'],
    ],
    [
      'an overload',
      { functions: new Map([['f', ['(a text) returns void', '(a text, b text) returns void']]]) },
      ['f(a text, b text) returns void is new: a function that differs needs a name of its own'],
    ],
    [
      'another result',
      { functions: new Map([['f', ['(a text) returns text']]]) },
      [
        'f(a text) returns text is new: a function that differs needs a name of its own',
        'f(a text) returns void is gone',
      ],
    ],
    ['a table and a function beside', { columns: new Map([...before.columns, ['new.a', column]]) }, []],
  ])('%s', (_, change, told) => {
    expect(lostUses(before, { ...before, ...change })).toEqual(told);
  });
});
