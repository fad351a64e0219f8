import * as z from 'zod';
import type { Position } from '../../../shared/application/page.ts';

/** Opaque to clients: base64url of `[key, id]`. It names a place in a list, not a row, and is valid under any filter. */
export function encodeCursor({ key, id }: Position): string {
  return Buffer.from(JSON.stringify([key, id])).toString('base64url');
}

/** Another producer may have taken milliseconds for seconds: years have up to six digits. */
const EXACT_TIME = /^\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/;

/** A cursor into a list that is ordered by time. */
export const timeCursor = cursorOf((key) => EXACT_TIME.test(key) && isOfCalendar(key));

/** A cursor into a list that is ordered by name. */
export const nameCursor = cursorOf(
  (key) => key.length <= 255 && !key.includes('\u0000') && key.isWellFormed(),
);

/** The parser takes the 30th of February for the 1st of March; the database refuses it, and the year 0. */
function isOfCalendar(time: string): boolean {
  const iso = `${time.slice(0, -4)}Z`;
  // As ECMAScript writes years of more than four digits.
  const expected = iso.length > 24 ? `+${iso.padStart(26, '0')}` : iso;
  const date = new Date(expected);
  return !Number.isNaN(date.getTime()) && date.toISOString() === expected && !time.startsWith('0000');
}

function cursorOf(isKey: (key: string) => boolean): z.ZodType<Position> {
  const position = z.tuple([z.string().refine(isKey), z.guid()]);
  return z
    .string({ error: 'expected one cursor' })
    .max(1_000)
    .transform((text, context): Position => {
      const parsed = position.safeParse(jsonOf(text));
      if (parsed.success) return { key: parsed.data[0], id: parsed.data[1] };
      context.issues.push({
        code: 'custom',
        input: text,
        message: 'expected a `next_cursor` of an earlier answer of this list',
      });
      return z.NEVER;
    }) as unknown as z.ZodType<Position>;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}
