import type { Json } from '../../shared/engine/json.ts';

/**
 * Strings, and what some writers of JSON put for numbers that JSON has not. A string that nobody closes goes to the end: were it
 * none, each quotation mark in it would begin another that goes to the end.
 */
const NOT_A_NUMBER = /"[^"\\]*(?:\\(?:.|$)[^"\\]*)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const CONTROL_CHARACTERS = /[\u0000-\u001f]/g;

/**
 * What can be read of an object that is no JSON by little: Python, for one, writes NaN unless it is told not to, who encodes in
 * Latin-1 writes bytes that are not UTF-8, C's texts end with a zero byte, and a schema registry's serializer puts its schema's
 * id before the object. Good for telling whose it is, and not for use. As long as the text is, so long it takes.
 * @returns null where nothing can be read
 */
export function readDamaged(text: string): Json {
  const object = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
  const mended = object
    .replace(CONTROL_CHARACTERS, ' ')
    .replace(NOT_A_NUMBER, (token) => (token.startsWith('"') ? token : 'null'));
  try {
    return JSON.parse(mended) as Json;
  } catch {
    return null;
  }
}
