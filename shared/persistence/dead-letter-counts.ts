import type { Statements } from './database.ts';
import { rowSource } from './row-source.ts';
import { Parameters } from './sql.ts';

/** Where a dead letter came from. */
export interface DeadLetterSource {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export type CountDeadLetters = (letters: readonly DeadLetterSource[]) => Promise<void>;

// `offset` is a word of SQL's own.
const LETTER = { topic: 'text', partition: 'int', place: 'bigint' };

/**
 * Counts each record once, however often its batch comes again: those of a partition come in order, so what is not beyond the
 * last offset has been counted. All of one invocation's at once, therefore. After their publishing, so that none counts in vain.
 */
export function createCountDeadLetters(database: Statements): CountDeadLetters {
  return async (letters) => {
    if (letters.length === 0) return;
    const parameters = new Parameters();
    const rows = letters.map(({ topic, partition, offset: place }) => ({ topic, partition, place }));
    const source = rowSource(LETTER, rows, parameters);
    await database.execute(
      `with letter as (select distinct * from ${source})
       insert into dead_letter_counts as c (topic, partition, letters, last_offset)
       select topic, partition, count(*), max(place) from letter group by topic, partition order by topic, partition
       on conflict (topic, partition) do update
       set letters = c.letters + (select count(*) from letter l
                                   where l.topic = c.topic and l.partition = c.partition and l.place > c.last_offset),
           last_offset = greatest(c.last_offset, excluded.last_offset)`,
      parameters.values,
    );
  };
}

/** Records that became dead letters, by the topic they came from. */
export function readDeadLetterCounts(
  database: Statements,
): Promise<{ readonly topic: string; readonly letters: number }[]> {
  return database.many(
    'select topic, sum(letters)::bigint as letters from dead_letter_counts group by topic order by topic',
  );
}
