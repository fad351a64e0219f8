/** A statement's values, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns its placeholder, `$1` on */
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/** What a column of JSON gets: null where there is no value, and for the JSON value null too. */
export function jsonParameter(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/**
 * A part of a `with`, to be read by the statement's `from`: its commit does not wait for the disk. For what is no loss when a crash
 * undoes it.
 */
export const LAZILY = `lazily as materialized (select set_config('synchronous_commit', 'off', true))`;

/**
 * What memory should hold at once of columns of JSON, in bytes as they are stored. Compression saves a factor of 100 at the most:
 * as JSON it stays below 50 MB.
 */
export const MAX_STORED_BYTES = 512 * 1024;

/** How large a row's values of the columns are, as they are stored: it reads a large value's pointer, not the value. */
export function storedBytes(...columns: readonly string[]): string {
  return columns.map((column) => `coalesce(pg_column_size(${column}), 0)`).join(' + ');
}

/** Of a run that another producer has named: by their rows' own ids only these are sought, which have an index. */
export function isNamedOtherwise(run: string): string {
  return `${run}.run_id <> 'run-' || ${run}.id::text`;
}
