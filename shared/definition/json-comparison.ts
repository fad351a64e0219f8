import { isJsonObject, type Json } from '../engine/json.ts';
import { isHighSurrogate, isLowSurrogate } from '../validation/characters.ts';

/*
 * How JSON values compare, in paths and in choices (RFC 9535 §2.3.5.2.2): text by Unicode scalar values, objects by their own
 * members, whatever the order.
 */

/** Negative where `a` comes before `b`, 0 where they are equal. A surrogate that has no other half counts as itself. */
export function compareText(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === end) return a.length - b.length;
  // Halves of a pair are below U+E000, and what they stand for is above U+FFFF.
  return scalarOrder(a.charCodeAt(at)) - scalarOrder(b.charCodeAt(at));
}

/** They nest no deeper than what may be stored. */
export function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return (
      Array.isArray(b) && a.length === b.length && a.every((item: Json, i) => equalJson(item, b[i] as Json))
    );
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key] as Json, b[key] as Json))
  );
}

function scalarOrder(unit: number): number {
  return isHighSurrogate(unit) || isLowSurrogate(unit) ? unit + 0x10000 : unit;
}
