import { storableText } from '../engine/storable-text.ts';

/** One thing that is wrong with what somebody sent: where, and what was expected. */
export interface Problem {
  /** Dotted from the root of what was sent; `''` is all of it. */
  readonly path: string;
  readonly message: string;
}

/** What an answer lists: who has made more mistakes than this begins with the first. */
export const MAX_PROBLEMS = 100;

/** In characters: a key may be a megabyte long, and stand in the path of each thing that is wrong below it. */
const MAX_KEY_LENGTH = 200;

/** The path of what stands at a key of the object, or at a place of the list, that stands at `path`. */
export function pathWithin(path: string, key: PropertyKey): string {
  const shown = shortened(String(key), MAX_KEY_LENGTH);
  return path === '' ? shown : `${path}.${shown}`;
}

export function pathOf(place: readonly PropertyKey[]): string {
  return place.reduce(pathWithin, '');
}

/** At most so many characters of a text that somebody sent; what is cut ends in `…`. */
export function shortened(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${storableText(text, maxLength - 1)}…`;
}
