import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import {
  createCountDeadLetters,
  readDeadLetterCounts,
} from '../../../shared/persistence/dead-letter-counts.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url, maxConnections: 10 });
});
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});

const at = (topic: string, partition: number, ...offsets: number[]) =>
  offsets.map((offset) => ({ topic, partition, offset }));

it('a record that became a dead letter counts once, however often its batch comes again', async () => {
  const count = createCountDeadLetters(database);
  await count([]);
  await count(at('a', 0, 5));
  await count(at('a', 0, 5));
  const batch = [...at('a', 0, 9, 5, 7), ...at('a', 1, 3), ...at('b', 0, 0)];
  await count(batch);
  await count(batch);
  await count(at('a', 0, 8));
  expect(await readDeadLetterCounts(database)).toEqual([
    { topic: 'a', letters: 4 },
    { topic: 'b', letters: 1 },
  ]);
  const partitions = Array.from({ length: 20 }, (_, i) => i);
  await Promise.all(
    partitions.flatMap((partition) => [count(at('c', partition, 1, 2)), count(at('c', partition, 1, 2))]),
  );
  expect(await readDeadLetterCounts(database)).toContainEqual({ topic: 'c', letters: 40 });
});
