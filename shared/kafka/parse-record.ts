import type * as z from 'zod';
import { limits } from '../config/limits.ts';
import { isJsonObject } from '../engine/json.ts';
import { findPayloadProblem } from '../messages/payload.ts';
import { type MskRecord, textOf } from './msk-event.ts';

export type ParsedRecord<Message> =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads a record as one of our messages. The reason for a refusal names the field and what was expected.
 * @param leftToCaller top-level fields whose content the caller checks itself
 */
export function parseRecord<Schema extends z.ZodType>(
  schema: Schema,
  record: MskRecord,
  leftToCaller: readonly string[] = [],
): ParsedRecord<z.infer<Schema>> {
  const text = textOf(record);
  if (text === null) return { ok: false, reason: 'expected a value in UTF-8' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: `expected JSON: ${(error as Error).message}` };
  }
  const checked = isJsonObject(value)
    ? Object.fromEntries(Object.entries(value).filter(([field]) => !leftToCaller.includes(field)))
    : value;
  const problem = findPayloadProblem(checked, recordLimits);
  if (problem) {
    const { path, message } = problem;
    return { ok: false, reason: path === '' ? message : `${path}: ${message}` };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, message: parsed.data };
  const reasons = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'record'}: ${issue.message}`);
  return { ok: false, reason: reasons.slice(0, 10).join('; ') };
}

// A record carries a payload inside an envelope, or a whole definition. Its size is the topic's `max.message.bytes`.
const recordLimits = { maxJsonDepth: limits.maxJsonDepth + 10, maxJsonEntries: limits.maxJsonEntries * 4 };
