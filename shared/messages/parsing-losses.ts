import { MAX_PROBLEMS, type Problem, pathOf } from '../validation/problem.ts';
import { changedNumber, changeOf } from './changed-number.ts';

/** Strings, numbers, and the marks between which they stand. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\],:]/gs;

/**
 * Whether the text may have a number that is changed: fifteen digits and a power of ten of at most two are held by every double.
 * Digits in strings look the same, but ids, times and tokens seldom have as many; so most records are not read twice.
 */
const MAY_CHANGE = /\d[\d.]{15}|\d[eE][+-]?\d{3,}\s*(?:[,\]}]|$)/;

interface Open {
  /** Null: a list. */
  readonly keys: Set<string> | null;
  /** Of a list, the place of the next item. */
  place: number;
  /** Of an object, the last key. */
  key: string;
}

interface Loss {
  readonly kind: 'repeated_key' | 'changed_number';
  /** Where, while the next one has not been asked for. */
  readonly inside: readonly Open[];
  readonly message: string;
}

/**
 * What the parser would lose without a word: all but the last of the values that come under one key (of two steps with one id,
 * one would be gone), and the digits of a number that no double holds (`changedNumber`).
 * @param text which is JSON, not nested past the limit
 */
export function findParsingLosses(text: string): readonly Problem[] {
  return problemsOf(lossesIn(text));
}

/**
 * Of those, the numbers. An agent's answer is read as every parser reads it, the last value of a key being the one that counts:
 * to refuse that would cost the work. A number that is changed costs more.
 * @param field of the object that the text is: only what stands there is told, by its path from the root all the same, and only
 *   that need not be nested past the limit
 */
export function findChangedNumbers(text: string, field?: string): readonly Problem[] {
  if (!MAY_CHANGE.test(text)) return [];
  return problemsOf(
    lossesIn(text).filter(
      ({ kind, inside }) => kind === 'changed_number' && (field === undefined || inside[0]?.key === field),
    ),
  );
}

function problemsOf(losses: IteratorObject<Loss>): readonly Problem[] {
  const places = losses.map(({ inside, message }) => ({
    path: pathOf(inside.map(({ keys, key, place }) => (keys ? key : place))),
    message,
  }));
  return [...places.take(MAX_PROBLEMS)];
}

function* lossesIn(text: string): Generator<Loss, undefined> {
  const open: Open[] = [];
  let lastText = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    switch (token) {
      case '{':
      case '[':
        open.push({ keys: token === '{' ? new Set() : null, place: 0, key: '' });
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case ',':
        if (inside) inside.place++;
        break;
      case ':':
        if (!inside?.keys) break;
        // Two spellings of one key are one key.
        inside.key = JSON.parse(lastText) as string;
        if (inside.keys.has(inside.key)) {
          yield { kind: 'repeated_key', inside: open, message: 'expected to be given once' };
        }
        inside.keys.add(inside.key);
        break;
      default: {
        if (token.startsWith('"')) {
          lastText = token;
          break;
        }
        const become = changedNumber(token);
        if (become === null) break;
        yield { kind: 'changed_number', inside: open, message: changeOf(token, become) };
      }
    }
  }
}
