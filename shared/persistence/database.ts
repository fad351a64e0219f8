import pg from 'pg';
import {
  connectionError,
  DatabaseUnavailableError,
  driverError,
  translateDatabaseError,
} from './database-errors.ts';

/** Statements on one connection. The verbs promise a row count, and throw RowCountError where the promise breaks. */
export interface Statements {
  many<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  one<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row>;
  maybeOne<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row | null>;
  /** How many rows the statement touched. */
  execute(sql: string, values?: readonly unknown[]): Promise<number>;
}

export interface Database extends Statements {
  /**
   * Commits when `work` resolves, rolls back when it throws. READ COMMITTED: what is read after a lock is what the lock protects.
   * Statements that `work` never awaits must have gone well too, or nothing is committed.
   */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  /** One execution environment runs one invocation at a time and needs one connection. */
  readonly maxConnections?: number;
  readonly connectTimeoutMs?: number;
  /** Asked for each new connection, which then is a TLS one, instead of what the URL has. */
  readonly password?: (() => Promise<string>) | undefined;
}

export class RowCountError extends Error {
  readonly code = 'UNEXPECTED_ROW_COUNT';
}

// bigint columns are counters and ids below 2^53; timestamps travel as Date. One that is infinite, as another producer may write
// it, is no moment: the driver would give a number.
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
const dateOf: (text: string) => Date = pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ);
types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text) =>
  text.endsWith('infinity') ? null : dateOf(text),
);

/**
 * A pool over one database. No named statements, session settings, session locks or LISTEN: nothing that pins a connection of
 * RDS Proxy (design §3).
 */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...addressOf(options),
    max: options.maxConnections ?? 1,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 3_000,
    keepAlive: true,
    // The pool's connections must not keep a process alive that has nothing else to do.
    allowExitOnIdle: true,
    types,
  });
  // An idle connection that breaks is replaced at the next use; without a listener the process would end.
  pool.on('error', () => {});

  const statements = statementsOn((sql, values) => pool.query(sql, values));
  return {
    ...statements,
    async transaction(work) {
      const client = await pool.connect().catch((error) => {
        throw connectionError(error);
      });
      const send = (sql: string, values?: unknown[]) => client.query(sql, values);
      const { run, failure } = orderly(inTurn(send));
      let broken: Error | undefined;
      // The pool listens while a connection is idle only. What breaks now, the statement under way tells.
      const ignore = () => {};
      client.on('error', ignore);
      try {
        run('begin');
        const result = await work(statementsOn(run));
        const { command } = await run('commit');
        // Postgres answers so to the commit of a transaction that had failed, without an error.
        if (command === 'ROLLBACK') throw failure() ?? new Error('The transaction was rolled back');
        return result;
      } catch (error) {
        // In its turn: a statement that still waits for its own would otherwise run after the transaction, and commit by itself.
        await run('rollback').catch((rollbackError: Error) => {
          broken = rollbackError;
        });
        const translated = translateDatabaseError(error);
        // The server may be alive and of no use, as one that only reads since a failover: this connection stays with it for good.
        if (translated instanceof DatabaseUnavailableError) broken ??= translated;
        throw translated;
      } finally {
        client.off('error', ignore);
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

/** pg takes a password's function only beside the parts of an address, never beside a URL. */
function addressOf({ url, password }: DatabaseOptions): pg.PoolConfig {
  if (password === undefined) return { connectionString: url };
  const { hostname, port, username, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 5432),
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
    // What fails here, the pool's queries tell as their own error.
    password: () =>
      password().catch((error: unknown) => {
        throw connectionError(error);
      }),
    ssl: { rejectUnauthorized: true },
  };
}

/**
 * Work need not await what it asks for last: the commit tells whether it went well, and `failure` what did not. Queries that
 * are left behind when another one fails do not become unhandled rejections.
 */
function orderly(send: RunQuery): { run: RunQuery; failure: () => unknown } {
  let failure: unknown;
  const run: RunQuery = (sql, values) => {
    const result = send(sql, values);
    result.catch((error: unknown) => {
      failure ??= error;
    });
    return result;
  };
  return { run, failure: () => failure };
}

/** Each query is sent when the one before is answered, whatever its answer: the next then fails by itself. */
function inTurn(run: RunQuery): RunQuery {
  let last: Promise<unknown> = Promise.resolve();
  return (sql, values) => {
    const result = last.then(
      () => run(sql, values),
      () => run(sql, values),
    );
    last = result;
    return result;
  };
}

type RunQuery = (sql: string, values?: unknown[]) => Promise<pg.QueryResult>;

function statementsOn(run: RunQuery): Statements {
  async function query<Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []) {
    try {
      return (await run(sql, values as unknown[])) as pg.QueryResult<Row>;
    } catch (error) {
      throw driverError(error);
    }
  }
  const rowsOf = async <Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]) =>
    (await query<Row>(sql, values)).rows;
  const unexpected = (expected: string, rows: unknown[], sql: string) =>
    new RowCountError(`Expected ${expected}, got ${rows.length}: ${sql.trim().slice(0, 80)}`);
  return {
    many: rowsOf,
    async one<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]) {
      const rows = await rowsOf<Row>(sql, values);
      if (rows.length !== 1) throw unexpected('one row', rows, sql);
      return rows[0] as Row;
    },
    async maybeOne<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]) {
      const rows = await rowsOf<Row>(sql, values);
      if (rows.length > 1) throw unexpected('at most one row', rows, sql);
      return rows[0] ?? null;
    },
    execute: async (sql, values) => (await query(sql, values)).rowCount ?? 0,
  };
}
