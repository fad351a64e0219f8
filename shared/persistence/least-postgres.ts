import type pg from 'pg';

/**
 * The tests run on this one and on the newest. 16 lacks arithmetic with infinite times, which other producers may write, and reads
 * a whole table for a search of words; what is older lacks what every decision needs (`pg_input_is_valid`).
 */
export const LEAST_POSTGRES = 17;

export class DatabaseTooOld extends Error {
  readonly code = 'DATABASE_TOO_OLD';
}

/**
 * Before anything is built on it: on an older one migrations go through, runs are taken, and no decision is ever committed.
 * @throws DatabaseTooOld saying what it is
 */
export async function checkServerVersion(client: Pick<pg.Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ number: string }>(
    `select current_setting('server_version_num') as number`,
  );
  const number = Number(rows[0]?.number);
  if (!(number >= LEAST_POSTGRES * 10_000))
    throw new DatabaseTooOld(`PostgreSQL ${LEAST_POSTGRES} or newer is needed, this is ${nameOf(number)}`);
}

/** 150004 is 15.4; before 10 a version had three parts, and 90624 is 9.6.24. */
function nameOf(number: number): string {
  const parts = [Math.floor(number / 10_000), Math.floor(number / 100) % 100, number % 100];
  return number < 100_000 ? parts.join('.') : `${parts[0]}.${number % 10_000}`;
}
