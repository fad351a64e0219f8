/**
 * What memory should hold at once of columns of JSON, in bytes as they are stored. Compression saves a factor of 100 at the most:
 * as JSON it stays below 50 MB.
 */
export const MAX_STORED_BYTES = 512 * 1024;

/** How large a row's values of the columns are, as they are stored: it reads a large value's pointer, not the value. */
export function storedBytes(...columns: readonly string[]): string {
  return columns.map((column) => `coalesce(pg_column_size(${column}), 0)`).join(' + ');
}
