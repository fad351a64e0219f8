import { isJsonObject, type Json } from './json.ts';

/** Whether the JSON text of `value`, numbers written out, has at most `maxBytes` UTF-8 bytes. Costs no more than the limit, however large the value. */
export function fitsInBytes(value: Json, maxBytes: number): boolean {
  // A mapping may name a large value many times: its text would be too long to be made.
  if (!mayFit(value, { left: maxBytes })) return false;
  const text = JSON.stringify(value);
  // A UTF-16 unit is one to three bytes of UTF-8: most values are decided by their length alone.
  if (text.length * 3 <= maxBytes) return true;
  if (text.length > maxBytes) return false;
  return utf8Bytes(text) <= maxBytes;
}

/** The bytes of the JSON text of `value`, which fits a payload. */
export function jsonBytes(value: Json): number {
  return utf8Bytes(JSON.stringify(value));
}

/** Digits that `value` has when it is written out, without an exponent, as a database's jsonb is; 0 where its JSON text has none. */
export function writtenOutDigits(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || (size < 1e21 && size >= 1e-6)) return 0;
  return Math.abs(Math.floor(Math.log10(size))) + 1;
}

/** False when even the least that its text can have is too much. Depth is bounded where values come in. */
function mayFit(value: Json, budget: { left: number }): boolean {
  if (typeof value === 'string') budget.left -= value.length + 2;
  else if (typeof value === 'number') budget.left -= writtenOutDigits(value);
  else if (Array.isArray(value)) {
    budget.left -= 1;
    for (const item of value) if (!mayFit(item, budget)) return false;
  } else if (isJsonObject(value)) {
    budget.left -= 1;
    for (const key in value) {
      budget.left -= key.length + 3;
      if (budget.left < 0 || !mayFit(value[key] as Json, budget)) return false;
    }
  }
  // At least one character of its own, or the comma or bracket after it.
  budget.left -= 1;
  return budget.left >= -1;
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) bytes += 1;
    // Either half of a surrogate pair accounts for two of the pair's four bytes.
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes += 1;
  }
  return bytes;
}
