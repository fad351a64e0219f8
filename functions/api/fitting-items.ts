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
