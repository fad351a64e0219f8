import { MAX_PROBLEMS, type Problem, pathOf } from '../validation/problem.ts';

/** Strings, numbers, and the marks between which they stand. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*|[{}[\],:]/gs;
const INTEGER = /^-?\d+$/;

interface Open {
  /** Null: a list. */
  readonly keys: Set<string> | null;
  readonly path: readonly (string | number)[];
  /** Of a list, the place of the next item. */
  place: number;
  /** Of an object, the last key. */
  key: string;
}

/**
 * What the parser would lose without a word: all but the last of the values that come under one key (of two steps with one id,
 * one would be gone), and the last digits of an integer that no double holds (an id would be another one's).
 * @param text which is JSON
 */
export function findParsingLosses(text: string): readonly Problem[] {
  const problems: Problem[] = [];
  const open: Open[] = [];
  let lastText = '';
  const pathWithin = (inside: Open | undefined) =>
    inside ? [...inside.path, inside.keys ? inside.key : inside.place] : [];
  const tell = (path: readonly (string | number)[], message: string) =>
    problems.push({ path: pathOf(path), message });
  for (const [token] of text.matchAll(TOKEN)) {
    if (problems.length === MAX_PROBLEMS) break;
    const inside = open.at(-1);
    switch (token) {
      case '{':
      case '[':
        open.push({ keys: token === '{' ? new Set() : null, path: pathWithin(inside), place: 0, key: '' });
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
        if (inside.keys.has(inside.key)) tell(pathWithin(inside), 'expected to be given once');
        inside.keys.add(inside.key);
        break;
      default:
        if (token.startsWith('"')) lastText = token;
        else if (losesDigits(token)) tell(pathWithin(inside), NOT_EXACT);
    }
  }
  return problems;
}

const NOT_EXACT = 'expected an integer that a double holds exactly, or its digits as text';

function losesDigits(token: string): boolean {
  if (!INTEGER.test(token) || Number.isSafeInteger(Number(token))) return false;
  const double = Number(token);
  // Beyond all doubles it is a problem of its own.
  return Number.isFinite(double) && BigInt(token) !== BigInt(double);
}
