import type { Database, Statements } from './database.ts';
import { StatementTimeoutError } from './database-errors.ts';

/** Words that so much has that to look through it would take too long. */
export class SearchTooBroadError extends Error {
  readonly code = 'SEARCH_TOO_BROAD';
}

/**
 * Statements that end after `limitMs`, each in a transaction of its own, since the limit is set before it: for what a caller's
 * words alone decide the cost of. @throws SearchTooBroadError
 */
export function limitTime(database: Database, limitMs: number): Statements {
  const limited = async <T>(work: (statements: Statements) => Promise<T>): Promise<T> => {
    try {
      return await withinTime(database, limitMs, work);
    } catch (error) {
      if (!(error instanceof StatementTimeoutError)) throw error;
      throw new SearchTooBroadError(`The search was not over within ${limitMs} ms`, { cause: error });
    }
  };
  return {
    many: (sql, values) => limited((statements) => statements.many(sql, values)),
    one: (sql, values) => limited((statements) => statements.one(sql, values)),
    maybeOne: (sql, values) => limited((statements) => statements.maybeOne(sql, values)),
    execute: (sql, values) => limited((statements) => statements.execute(sql, values)),
  };
}

/** A transaction each of whose statements ends after `limitMs`. @throws StatementTimeoutError */
export function withinTime<T>(
  database: Database,
  limitMs: number,
  work: (statements: Statements) => Promise<T>,
): Promise<T> {
  return database.transaction(async (statements) => {
    await statements.one(`select set_config('statement_timeout', $1, true)`, [`${limitMs}ms`]);
    return work(statements);
  });
}
