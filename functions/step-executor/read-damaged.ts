import type { Json } from '../../shared/engine/json.ts';
import type { MskRecord } from '../../shared/kafka/msk-event.ts';

/** Strings, and what some writers of JSON put for numbers that JSON has not. */
const NOT_A_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/gs;

/**
 * What can be read of a value that is no JSON by little: Python, for one, writes NaN unless it is told not to, and who encodes
 * in Latin-1 writes bytes that are not UTF-8. Good for telling whose it is, and not for use.
 * @returns null where nothing can be read
 */
export function readDamaged({ value }: MskRecord): Json {
  const text = Buffer.from(value ?? '', 'base64').toString('utf8');
  const replaced = text.replace(NOT_A_NUMBER, (token) => (token.startsWith('"') ? token : 'null'));
  try {
    return JSON.parse(replaced) as Json;
  } catch {
    return null;
  }
}
