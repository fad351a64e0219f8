/** How far a slip of the pen goes: more is another name. */
const MAX_DISTANCE = 3;

/** The name that was probably meant, or null. Names are at most a few hundred characters; there may be thousands of them. */
export function nearest(given: string, names: Iterable<string>): string | null {
  let found: string | null = null;
  // Less than half of it may be wrong, or every short name would be near.
  let limit = Math.min(MAX_DISTANCE, Math.floor(given.length / 2));
  for (const name of names) {
    const distance = distanceWithin(given.toLowerCase(), name.toLowerCase(), limit);
    if (distance === null || (found !== null && distance === limit)) continue;
    [found, limit] = [name, distance];
    if (distance === 0) break;
  }
  return found;
}

/** Levenshtein's distance, or null where it is more than `limit`; only the band that could be within it is computed. */
function distanceWithin(a: string, b: string, limit: number): number | null {
  if (Math.abs(a.length - b.length) > limit) return null;
  let row = Array.from({ length: b.length + 1 }, (_, column) => (column <= limit ? column : Infinity));
  for (let i = 1; i <= a.length; i++) {
    const next = row.map(() => Infinity);
    if (i <= limit) next[0] = i;
    let least = next[0] ?? Infinity;
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j]! + 1, next[j - 1]! + 1);
      least = Math.min(least, next[j]!);
    }
    if (least > limit) return null;
    row = next;
  }
  const distance = row[b.length]!;
  return distance <= limit ? distance : null;
}
