import * as z from 'zod';
import type { Json } from '../../../shared/engine/json.ts';
import type { ErrorCode } from './api-error.ts';

/** The groups of the documents: the three faces, and what serves all of them. */
export const tags = {
  runs: 'Envelope `{success, message, data, meta}`, statuses in UPPERCASE, ids as `run-<uuid>`.',
  executions: 'Envelope `{success, message, data, meta}`, statuses in lowercase, ids as UUIDs.',
  plain:
    "Bare objects, errors as `{detail, error_code}`, statuses in lowercase; of everything one's own only.",
  management: 'Agents, API keys, permissions and the audit log.',
  callbacks: 'For agents that answer later, by the `callback_url` that their call carried.',
  service: 'Health and documents.',
} as const;

export type Tag = keyof typeof tags;

/** What is known of an operation besides what its route does: the documents are made of it, the contract test holds it to it. */
export interface Operation {
  readonly tags: readonly [Tag, ...Tag[]];
  /** What the summary leaves open; Markdown's backticks are shown. */
  readonly description?: string;
  /** Its successes, by status. */
  readonly answers: Readonly<Partial<Record<200 | 201 | 202, AnswerSpec>>>;
  /** Answers about what has ended carry an `ETag`, and `If-None-Match` gets 304. */
  readonly hasETag?: boolean;
  /** When it refuses, by code, besides what follows from the route's parts (`documents/refusals-of.ts`). */
  readonly refusals?: Readonly<Partial<Record<ErrorCode, string>>>;
  /** Bodies as clients send them, by a name. Default: one put together from the schema. */
  readonly bodyExamples?: Readonly<Record<string, Json>>;
}

export interface AnswerSpec {
  /** Of the body. Strict: a field that it lacks is a mistake. */
  readonly schema: z.ZodType;
  /** Default: one put together from the schema. */
  readonly example?: unknown;
  /** Besides those that every answer has. */
  readonly headers?: readonly ('Location' | 'Link')[];
  /** Default: `application/json`. */
  readonly contentType?: string;
}

interface EnvelopeParts extends Omit<AnswerSpec, 'schema' | 'contentType'> {
  /** Default: empty. */
  readonly meta?: z.ZodType;
  /** Fields beside the envelope's. */
  readonly beside?: Readonly<Record<string, z.ZodType>>;
}

/** A success in the envelope. */
export function envelope(
  data: z.ZodType,
  { meta = z.strictObject({}), beside = {}, ...rest }: EnvelopeParts = {},
): AnswerSpec {
  const schema = z.strictObject({
    success: z.literal(true),
    message: z.string().meta({ examples: ['Done'] }),
    data,
    meta,
    ...beside,
  });
  return { ...rest, schema };
}

const pageMeta = z
  .strictObject({
    limit: z.int().meta({ examples: [100] }),
    next_cursor: z
      .string()
      .nullable()
      .describe('To be sent as `cursor` for the page after this one; null at the end.')
      .meta({ examples: [null] }),
  })
  .meta({ id: 'PageMeta' });

/** A page of a list that goes on by cursors. */
export function pagedEnvelope(item: z.ZodType): AnswerSpec {
  return envelope(z.array(item), { meta: pageMeta });
}

/** A success of the plain face. */
export function bare(schema: z.ZodType, rest: Omit<AnswerSpec, 'schema' | 'contentType'> = {}): AnswerSpec {
  return { ...rest, schema };
}
