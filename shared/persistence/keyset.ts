import type { Page, PageRequest, Position } from '../application/page.ts';
import type { Parameters } from './sql.ts';

/** A timestamp to the microsecond: a Date has milliseconds, which would repeat or skip rows at a page's end. */
export function exactTime(column: string): string {
  return `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** The rows beyond `after`, as a row comparison that the index on (key, id) answers. */
export function isBeyond(
  after: Position | null,
  columns: { readonly key: string; readonly keyType: string; readonly id: string },
  direction: '<' | '>',
  parameters: Parameters,
): string {
  if (!after) return 'true';
  const { key, keyType, id } = columns;
  return `(${key}, ${id}) ${direction} (${parameters.add(after.key)}::${keyType}, ${parameters.add(after.id)}::uuid)`;
}

/** Rows were asked for with `limit + 1`: the one too many says that there is a next page. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  positionOf: (row: Row) => Position,
  itemOf: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(itemOf),
    next: rows.length > limit && last !== undefined ? positionOf(last) : null,
  };
}
