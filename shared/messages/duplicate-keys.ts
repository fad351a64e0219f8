import { MAX_PROBLEMS, type Problem } from '../validation/problem.ts';

/** Strings, and the marks between which they stand. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/gs;

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
 * Keys that come twice in an object. The parser would take the last and say nothing: of two steps with one id, one would be lost.
 * @param text which is JSON
 */
export function findDuplicateKeys(text: string): readonly Problem[] {
  const problems: Problem[] = [];
  const open: Open[] = [];
  let lastText = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const inside = open.at(-1);
    switch (token) {
      case '{':
      case '[': {
        const path = inside ? [...inside.path, inside.keys ? inside.key : inside.place] : [];
        open.push({ keys: token === '{' ? new Set() : null, path, place: 0, key: '' });
        break;
      }
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
          problems.push({
            path: [...inside.path, inside.key].join('.'),
            message: 'expected to be given once',
          });
          if (problems.length === MAX_PROBLEMS) return problems;
        }
        inside.keys.add(inside.key);
        break;
      default:
        lastText = token;
    }
  }
  return problems;
}
