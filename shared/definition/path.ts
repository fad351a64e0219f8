/** A string that starts `$.` or `$[` is a path; every other value, `$5.00` too, is a literal. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && (value.startsWith('$.') || value.startsWith('$['));
}

/** Backslashes before what would be a path: the first of them says that it is text, and is no part of it. */
const ESCAPED = /^\\+\$[.[]/;

/** The text that a string of a mapping which is no path stands for: `\$.50` for `$.50`, `\\$.50` for `\$.50`. */
export function literalText(text: string): string {
  return ESCAPED.test(text) ? text.slice(1) : text;
}

/** Of a string that is no path that can be: it may not have been meant as one. */
export const ESCAPE_HINT = 'text that begins so has a backslash before it: "\\\\$.50" in JSON is $.50';
