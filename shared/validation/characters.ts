import * as z from 'zod';

/** In Unicode code points, as PostgreSQL and JSON Schema count characters; a half of a surrogate pair counts as one. */
export function countCharacters(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length - 1; at++)
    if (isHighSurrogate(text.charCodeAt(at)) && isLowSurrogate(text.charCodeAt(at + 1))) {
      length--;
      at++;
    }
  return length;
}

/**
 * A check of a text's length. zod's own `max` counts UTF-16 code units, and documents them as `maxLength`, which is of characters:
 * what a schema lets through would be refused.
 */
export function atMostCharacters(max: number): z.core.$ZodCheck<string> {
  const check = z.check<string>((context) => {
    if (countCharacters(context.value) <= max) return;
    const message = `expected at most ${max} characters`;
    context.issues.push({ code: 'custom', input: context.value, message, continue: true });
  });
  // What the JSON Schema of a text is made of.
  check._zod.onattach.push(({ _zod: { bag } }) => {
    bag.maximum = Math.min((bag.maximum as number | undefined) ?? max, max);
  });
  return check;
}

export function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

export function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
