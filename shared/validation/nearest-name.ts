import { MAX_PROBLEMS } from './problem.ts';

/** How far a slip of the pen goes: more is another name. */
const MAX_DISTANCE = 3;
// A hint is a courtesy: where finding one could be felt, there is none.
const MAX_NAMES = 500;
const MAX_LENGTH = 64;
const MIN_PART_LENGTH = 3;

/**
 * The name that was probably meant, or null: one that is a slip of the pen away (`nextstep`), else the only one that the given
 * one is a word of (`timeout` of `timeout_seconds`).
 */
export function nearestName(given: string, names: Iterable<string>): string | null {
  if (given.length > MAX_LENGTH) return null;
  const candidates: string[] = [];
  for (const name of names) {
    if (candidates.length === MAX_NAMES) return null;
    if (name !== given && name.length <= MAX_LENGTH) candidates.push(name);
  }
  return byDistance(given, candidates) ?? byWord(given, candidates);
}

/** To stand behind what was expected: `, did you mean "next_step"?`, or nothing. */
export type HintOf = (given: string, names: Iterable<string>) => string;

/** For the problems of one input: no more hints than there are problems listed, since each is a search. */
export function createHints(): HintOf {
  let asked = 0;
  return (given, names) => {
    const name = asked++ < MAX_PROBLEMS ? nearestName(given, names) : null;
    return name === null ? '' : `, did you mean "${name}"?`;
  };
}

function byDistance(given: string, names: readonly string[]): string | null {
  let found: string | null = null;
  // Less than half of it may be wrong, or every short name would be near.
  let least = Math.min(MAX_DISTANCE, Math.ceil(given.length / 2) - 1) + 1;
  for (const name of names) {
    const distance = distanceBelow(least, given.toLowerCase(), name.toLowerCase());
    if (distance !== null) [found, least] = [name, distance];
  }
  return found;
}

function byWord(given: string, names: readonly string[]): string | null {
  const word = given.toLowerCase();
  if (word.length < MIN_PART_LENGTH) return null;
  const [only, ...others] = names.filter((name) =>
    name
      .toLowerCase()
      .split(/[_\s-]/)
      .includes(word),
  );
  return others.length === 0 ? (only ?? null) : null;
}

/**
 * Damerau and Levenshtein's distance (optimal string alignment: two letters that changed places are one slip), or null where it
 * is not below `limit`.
 */
function distanceBelow(limit: number, a: string, b: string): number | null {
  if (Math.abs(a.length - b.length) >= limit) return null;
  const at = (row: readonly number[], j: number) => row[j] ?? Infinity;
  let beforeLast: number[] = [];
  let last = Array.from({ length: Math.min(b.length, limit) + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row: number[] = [];
    if (i < limit) row[0] = i;
    let least = at(row, 0);
    // What lies farther from the diagonal is not below the limit.
    for (let j = Math.max(1, i - limit + 1); j <= Math.min(b.length, i + limit - 1); j++) {
      const substituted = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(substituted, at(last, j) + 1, at(row, j - 1) + 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) distance = Math.min(distance, at(beforeLast, j - 2) + 1);
      row[j] = distance;
      least = Math.min(least, distance);
    }
    if (least >= limit) return null;
    [beforeLast, last] = [last, row];
  }
  const distance = at(last, b.length);
  return distance < limit ? distance : null;
}
