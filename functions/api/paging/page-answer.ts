import type { Page } from '../../../shared/application/page.ts';
import type { Answer } from '../http/answer.ts';
import { encodeCursor } from './cursor.ts';

/** A page of a list that goes on by cursors, as `pagedEnvelope` (`operation.ts`) documents it. */
export function pageAnswer<Item>(
  message: string,
  { items, next }: Page<Item>,
  limit: number,
  present: (item: Item) => unknown,
): Answer {
  return {
    status: 200,
    message,
    data: items.map((item) => present(item)),
    meta: { limit, next_cursor: next && encodeCursor(next) },
  };
}

/**
 * JSON text of a list's items, in bytes. An answer of a Lambda is at most 6 MB, with the body as a text inside JSON: escaping can
 * double it.
 */
export const MAX_ITEMS_BYTES = 2_500_000;

/** As many of the items as an answer can carry, one at least. */
export function fittingItems<Item>(items: readonly Item[]): readonly Item[] {
  let bytes = 0;
  const end = items.findIndex((item, place) => {
    bytes += Buffer.byteLength(JSON.stringify(item));
    return bytes > MAX_ITEMS_BYTES && place > 0;
  });
  return end < 0 ? items : items.slice(0, end);
}

/**
 * A bare list has no place to say that it goes on but its headers: a `Link` to the next page (RFC 8288), also where the page
 * ends before its limit because an answer can carry no more.
 */
export function nextPageLink(
  path: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): Record<string, string> {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return { Link: `<${path}?${new URLSearchParams(given)}>; rel="next"` };
}
