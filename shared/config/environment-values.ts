import * as z from 'zod';

/* Kinds of values that environment variables have, as texts. Messages complete `<variable>: …`. */

/** Texts with commas between. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
/** `true` or `false`. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
/** Null where it is absent or empty. */
export const optionalText = z
  .string()
  .optional()
  .transform((text) => (text === undefined || text === '' ? null : text));

/** What Kafka takes as a topic's name, or the beginning of one. */
export const topicText = z
  .string()
  .regex(/^[\w.-]{0,200}$/, 'expected letters, digits, ".", "_" and "-", at most 200');

/** Of http or https; null where it is absent or empty. */
export const optionalUrl = optionalText.refine(
  (text) => text === null || isHttpUrl(text),
  'expected an http or https URL',
);

/** A whole number of a range, its ends included. */
export function count(least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `expected a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine(
      (number) => number >= least && number <= most,
      `expected a whole number from ${least} to ${most}`,
    );
}

function isHttpUrl(text: string): boolean {
  return /^https?:/i.test(text) && URL.canParse(text);
}
