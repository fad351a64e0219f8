import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { shownAs } from '../../../shared/documents/json-schema.ts';
import type { Json, JsonObject } from '../../../shared/engine/json.ts';
import type { ExecutionStatus } from '../../../shared/persistence/run-filter.ts';
import { atMostCharacters } from '../../../shared/validation/characters.ts';
import type { Problem } from '../http/api-error.ts';

/*
 * Pieces of the routes' schemas. Messages complete `<path>: …`, and say what was expected. Text that ends in a column has no
 * U+0000: bodies were searched for it already, parameters are here.
 */

export const jsonObject = z.looseObject(
  {},
  { error: 'expected an object' },
) as unknown as z.ZodType<JsonObject>;

/** Any value: what is no JSON was refused with the body. */
export const json = z.unknown() as unknown as z.ZodType<Json>;

/** Text of a body, of one character at least. */
export const boundedText = (maxLength: number) =>
  z
    .string({ error: 'expected text' })
    .min(1, 'expected at least one character')
    .check(atMostCharacters(maxLength));

export const name = boundedText(limits.maxNameLength)
  .regex(/^[^\p{C}]*$/u, 'expected no control characters')
  .refine((text) => text.trim() === text, 'expected no space at either end');

/** Who somebody is, in keys, tokens and grants. */
export const userId = boundedText(255).refine((text) => text.trim() !== '', 'expected more than spaces');

/** Of a parameter that is missing, what it should be is told; in a query one that is repeated is a list. */
const parameter = (expected: string) =>
  z.string({ error: ({ input }) => (Array.isArray(input) ? 'expected to be given once' : expected) });

/** Text of a parameter: given once, and such as a column can hold. */
export const parameterText = parameter('expected text')
  .min(1, 'expected at least one character')
  .check(atMostCharacters(255))
  .refine(
    (text) => !text.includes('\u0000') && text.isWellFormed(),
    'expected well-formed text without U+0000',
  );

/** What lists of runs are searched for. */
export const searchedWords = parameterText
  .regex(/[\p{L}\p{N}]/u, 'expected at least one letter or digit')
  .describe('Words, in whatever case: all of them in one error, or in the log lines of one attempt.');

/** In a path, a query or a body; in whatever case. */
export const uuidParameter = shownAs(z.guid('expected a UUID'), { type: 'string', format: 'uuid' });

export const idParam = z.strictObject({ id: uuidParameter });
export const executionIdParam = z.strictObject({ id: uuidParameter });
export const runIdParam = z.strictObject({ run_id: parameterText });

const expectedInteger = (min: number, max: number) => `expected a whole number from ${min} to ${max}`;

export function pageLimit(fallback: number, max: number) {
  return integerParameter(1, max).default(fallback);
}

export function integerParameter(min: number, max: number) {
  const message = expectedInteger(min, max);
  const schema = parameter(message)
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .pipe(z.number().min(min, message).max(max, message));
  return shownAs(schema, { type: 'integer', minimum: min, maximum: max });
}

/** `true` or `false`, as a parameter. */
export const flag = shownAs(
  z.enum(['true', 'false'], { error: 'expected true or false' }).transform((text) => text === 'true'),
  { type: 'boolean' },
);

export const communityId = z.int({
  error: expectedInteger(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
});

export const communityIdParameter = shownAs(
  parameter('expected a whole number')
    .regex(/^-?\d{1,16}$/, 'expected a whole number')
    .transform(Number)
    .pipe(communityId),
  { type: 'integer', examples: [123] },
);

const statuses = [
  'PENDING',
  'RUNNING',
  'PAUSED',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
] as const satisfies readonly ExecutionStatus[];

/** One status, or several: with commas, or the parameter repeated; in whatever case. @param shown as the face writes them */
function statusFilter(shown: readonly string[]) {
  const known = new Set<string>(statuses);
  const schema = z
    .union([z.string(), z.array(z.string())])
    .transform((given) => [given].flat().flatMap((text) => text.toUpperCase().split(',')))
    .refine((given) => given.every((one) => known.has(one)), `expected one of ${shown.join(', ')}`)
    .transform((given) => given as ExecutionStatus[]);
  return shownAs(schema, { type: 'array', items: { type: 'string', enum: [...shown] } });
}

export const runStatusFilter = statusFilter(statuses);
export const executionStatusFilter = statusFilter(statuses.map((status) => status.toLowerCase()));

const MOMENT = 'expected a date, or a date and time with a zone: 2024-01-15T10:30:00Z';

const dateTime = z.iso.datetime({ offset: true });
const date = z.iso.date();

/** Postgres counts years from 1, and knows no zone beyond 15:59 (those in use end at 14:00) and no text of any length. */
const STORABLE = /^(?!0000)[^.]+?(\.\d{1,9})?(Z|[+-](0\d|1[0-5]):\d\d)$/;

/** A date and time with a zone, as RFC 3339 writes it. */
export function isMoment(text: string): boolean {
  return STORABLE.test(text) && dateTime.safeParse(text).success;
}

/** A moment as a parameter; a date alone is its first moment in UTC. */
export const moment = shownAs(
  parameter(MOMENT)
    .transform((text) => (date.safeParse(text).success ? `${text}T00:00:00Z` : text))
    .refine(isMoment, MOMENT),
  {
    anyOf: [
      { type: 'string', format: 'date-time' },
      { type: 'string', format: 'date' },
    ],
  },
);

/** Whether a field of a body is there: null stands for absent. */
export function isGiven(body: JsonObject, field: string): boolean {
  return body[field] !== undefined && body[field] !== null;
}

/** Who sends their data itself as the body is told which field it goes in. */
export function goesIn(container: string): (field: string) => string {
  return (field) => `your own data goes in ${container}, this as ${container}.${field}`;
}

/** What of a body is larger than a payload may be, measured as its JSON text. */
export function oversizedFields(fields: Readonly<Record<string, unknown>>): Problem[] {
  return Object.entries(fields).flatMap(([path, value]) => {
    if (value === undefined || value === null) return [];
    const bytes = Buffer.byteLength(JSON.stringify(value));
    const { maxPayloadBytes } = limits;
    if (bytes <= maxPayloadBytes) return [];
    return [{ path, message: `expected at most ${maxPayloadBytes} bytes of JSON, got ${bytes}` }];
  });
}
