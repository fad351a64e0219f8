/** `error_code` columns have no more. */
export const MAX_CODE_LENGTH = 255;

/**
 * Text that can be kept wherever text ends: in a row, a message, an answer. At most `maxLength` UTF-16 units, never half of a
 * character; what Postgres cannot store, U+0000 and lone surrogates, becomes U+FFFD. All that is cut, is cut here.
 */
export function storableText(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const storable = text.replaceAll('\u0000', '\ufffd').toWellFormed();
  if (storable.length <= maxLength) return storable;
  // A pair that the cut would halve is left out whole.
  const end = isHighSurrogate(storable.charCodeAt(maxLength - 1)) ? maxLength - 1 : maxLength;
  return storable.slice(0, end);
}

/** What stands in an attempt's, a branch's or a run's row when it failed. */
export function storableFailure({ code, message }: { readonly code: string; readonly message: string }) {
  return { code: storableText(code, MAX_CODE_LENGTH), message: storableText(message) };
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
