import type * as z from 'zod';
import { limits } from '../config/limits.ts';
import { isJsonObject, type Json } from '../engine/json.ts';
import { findPayloadProblem } from '../messages/payload.ts';
import { type MskRecord, textOf } from './msk-event.ts';

export type Parsed<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly reason: string };

/** Reads a record as one of our messages. The reason for a refusal names the field and what was expected. */
export function parseRecord<Schema extends z.ZodObject>(
  schema: Schema,
  record: MskRecord,
): Parsed<z.infer<Schema>> {
  const read = readRecord(record);
  return read.ok ? parseMessage(schema, read.message) : read;
}

/** A record's JSON, as it comes out. */
export function readRecord(record: MskRecord): Parsed<Json> {
  const text = textOf(record);
  if (text === null) return { ok: false, reason: 'expected a value in UTF-8' };
  try {
    return { ok: true, message: JSON.parse(text) as Json };
  } catch (error) {
    return { ok: false, reason: `expected JSON: ${(error as Error).message}` };
  }
}

/**
 * Reads what a record has as one of our messages. Fields that it does not name are not looked at.
 * @param leftToCaller top-level fields whose content the caller checks itself; they are null where they are absent
 */
export function parseMessage<Schema extends z.ZodObject>(
  schema: Schema,
  value: Json,
  leftToCaller: readonly string[] = [],
): Parsed<z.infer<Schema>> {
  const checked = isJsonObject(value)
    ? Object.fromEntries(
        Object.keys(schema.shape).flatMap((field) =>
          Object.hasOwn(value, field) && !leftToCaller.includes(field) ? [[field, value[field]]] : [],
        ),
      )
    : value;
  const problem = findPayloadProblem(checked, recordLimits);
  if (problem) {
    const { path, message } = problem;
    return { ok: false, reason: path === '' ? message : `${path}: ${message}` };
  }
  const absent = Object.fromEntries(leftToCaller.map((field) => [field, null]));
  const parsed = schema.safeParse(isJsonObject(value) ? { ...absent, ...value } : value);
  if (parsed.success) return { ok: true, message: parsed.data };
  const reasons = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'record'}: ${issue.message}`);
  return { ok: false, reason: reasons.slice(0, 10).join('; ') };
}

// A record carries a payload inside an envelope, or a whole definition. Its size is the topic's `max.message.bytes`.
const recordLimits = { maxJsonDepth: limits.maxJsonDepth + 10, maxJsonEntries: limits.maxJsonEntries * 4 };
