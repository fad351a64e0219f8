import type { Json } from './json.ts';

/** Whether the JSON text of `value` has at most `maxBytes` UTF-8 bytes. */
export function fitsInBytes(value: Json, maxBytes: number): boolean {
  const text = JSON.stringify(value);
  // A UTF-16 unit is one to three bytes of UTF-8: most values are decided by their length alone.
  if (text.length * 3 <= maxBytes) return true;
  if (text.length > maxBytes) return false;
  return utf8Bytes(text) <= maxBytes;
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
