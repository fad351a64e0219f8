import pg from 'pg';

/** Counts what this process sends to Postgres, by wrapping the driver: the code under test stays as it is. */
export function countStatements(): { statements: number; commits: number } {
  const count = { statements: 0, commits: 0 };
  const query = pg.Client.prototype.query as (this: pg.Client, ...args: unknown[]) => unknown;
  const counting = function (this: pg.Client, ...args: unknown[]) {
    const [sql] = args;
    if (typeof sql === 'string') {
      if (sql === 'commit') count.commits += 1;
      else if (sql !== 'begin' && !sql.startsWith('set local')) count.statements += 1;
    }
    return query.apply(this, args);
  };
  pg.Client.prototype.query = counting as typeof pg.Client.prototype.query;
  return count;
}
