import type { Database, Statements } from '../../shared/persistence/database.ts';

export interface RecordedStatement {
  readonly sql: string;
  readonly values: readonly unknown[];
}

export interface RecordingDatabase extends Database {
  /** Every statement since the last `forget`, in order; those of a transaction between `begin` and `commit`. */
  readonly recorded: RecordedStatement[];
  forget(): void;
}

/** The database itself, which also remembers what it was asked. */
export function recordStatements(database: Database): RecordingDatabase {
  const recorded: RecordedStatement[] = [];
  const remember = (sql: string, values: readonly unknown[] = []) => {
    recorded.push({ sql, values });
    return [sql, values] as const;
  };
  const recording = (statements: Statements): Statements => ({
    many: (sql, values) => statements.many(...remember(sql, values)),
    one: (sql, values) => statements.one(...remember(sql, values)),
    maybeOne: (sql, values) => statements.maybeOne(...remember(sql, values)),
    execute: (sql, values) => statements.execute(...remember(sql, values)),
  });
  return {
    ...recording(database),
    async transaction(work) {
      remember('begin');
      const result = await database.transaction((statements) => work(recording(statements)));
      remember('commit');
      return result;
    },
    close: () => database.close(),
    recorded,
    forget: () => void recorded.splice(0),
  };
}
