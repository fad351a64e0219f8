import pg from 'pg';

/** The database refuses a value: only the record that carries it is at fault (SQLSTATE classes 22 and 54). */
export class ValueRefusedError extends Error {
  readonly code = 'VALUE_REFUSED';
}

/** A unique rule is broken. `constraint` names it. */
export class UniqueViolationError extends Error {
  readonly code = 'UNIQUE_VIOLATION';
  readonly constraint: string | null;
  constructor(message: string, constraint: string | null, options: ErrorOptions) {
    super(message, options);
    this.constraint = constraint;
  }
}

/** Another rule of a table is broken: a defect, since what is written is checked before. */
export class ConstraintViolationError extends Error {
  readonly code = 'CONSTRAINT_VIOLATION';
}

/** The database is not as this release needs it, or this user may not use it: no record's fault, and the same for all of them. */
export class DatabaseUnfitError extends Error {
  readonly code = 'DATABASE_UNFIT';
}

/** Another transaction was in the way: the same work, done again, may succeed. */
export class TransactionConflictError extends Error {
  readonly code = 'TRANSACTION_CONFLICT';
}

/** A statement took longer than it may. */
export class StatementTimeoutError extends Error {
  readonly code = 'STATEMENT_TIMEOUT';
}

/** The database cannot be reached, is starting or stopping, or only reads. */
export class DatabaseUnavailableError extends Error {
  readonly code = 'DATABASE_UNAVAILABLE';
}

/** Some of the runs are not as they were decided about: somebody decided meanwhile. */
export class RunsMovedOnError extends Error {
  readonly code = 'RUNS_MOVED_ON';
  readonly runIds: readonly string[];
  constructor(message: string, runIds: readonly string[], options: ErrorOptions) {
    super(message, options);
    this.runIds = [...new Set(runIds)];
  }
}

/** A row is not as it was loaded, and its run is: a defect, or somebody who writes without raising the run's sequence. */
export class StaleDecisionError extends Error {
  readonly code = 'STALE_DECISION';
}

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);

/** What cannot be had without another schema, user or server: objects that are not there or not allowed, features, the catalogue. */
function isUnfit(state: string): boolean {
  return ['0A', '28', '3D', '3F', '42', 'F0'].some((start) => state.startsWith(start));
}

/** Connection, resources, shutdown, the system; a server that only reads, as the writer of before a failover; and a connection that was frozen inside a transaction. */
function isUnavailable(state: string): boolean {
  return ['08', '53', '57P', '58', '25006', '25P03'].some((start) => state.startsWith(start));
}

/** SQLSTATEs and socket errors become our errors here and nowhere else. Anything unknown passes through as it came. */
export function translateDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = { cause: error };
  if (error instanceof pg.DatabaseError && error.code !== undefined) {
    const state = error.code;
    // 54: a value that is too large, or nested too deep, for the server.
    if (state.startsWith('22') || state.startsWith('54'))
      return new ValueRefusedError(`The database refused a value: ${error.message}`, cause);
    if (state === '23505')
      return new UniqueViolationError(`Already there: ${error.message}`, error.constraint ?? null, cause);
    if (state.startsWith('23'))
      return new ConstraintViolationError(`A rule of the table is broken: ${error.message}`, cause);
    if (state === '40001' || state === '40P01' || state === '55P03') {
      return new TransactionConflictError(`Do it again: ${error.message}`, cause);
    }
    if (state === '57014')
      return new StatementTimeoutError(`The statement was cancelled: ${error.message}`, cause);
    if (isUnavailable(state)) {
      return new DatabaseUnavailableError(`The database is not available: ${error.message}`, cause);
    }
    if (isUnfit(state)) {
      return new DatabaseUnfitError(`The database is not as this release needs it: ${error.message}`, cause);
    }
    // Raised by our own functions (functions/save_runs.sql).
    if (state === 'SL002')
      return new RunsMovedOnError(error.message, JSON.parse(error.detail ?? '[]') as string[], cause);
    if (state === 'SL001') return new StaleDecisionError(error.message, cause);
    return error;
  }
  const socketCode = 'code' in error ? String(error.code) : '';
  // pg's own words for a connection that broke or could not be had in time; it gives them no code.
  const connectionLost =
    /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;
  if (UNREACHABLE.has(socketCode) || connectionLost.test(error.message)) {
    return new DatabaseUnavailableError(`The database cannot be reached: ${error.message}`, cause);
  }
  return error;
}

/** What fails before anything was asked, a password that could not be fetched for one, is nobody's record's fault. */
export function connectionError(error: unknown): unknown {
  const translated = translateDatabaseError(error);
  if (translated instanceof DatabaseUnfitError || translated instanceof DatabaseUnavailableError)
    return translated;
  const reason = error instanceof Error ? error.message : String(error);
  return new DatabaseUnavailableError(`No connection to the database: ${reason}`, { cause: error });
}

/** What the driver throws for a statement and the server did not say is about the connection, or of a kind that JavaScript has. */
export function driverError(error: unknown): unknown {
  const translated = translateDatabaseError(error);
  const isPlain = translated === error && error instanceof Error && error.constructor === Error;
  return isPlain ? connectionError(error) : translated;
}
