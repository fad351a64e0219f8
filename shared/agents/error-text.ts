import { limits } from '../config/limits.ts';
import type { Json } from '../engine/json.ts';
import { MAX_CODE_LENGTH, storableText } from '../engine/storable-text.ts';

/** Where an agent gives its failure no code of its own. */
export const NO_CODE = 'AGENT_ERROR';

/** Of a JSON value what can stand as a code or a message as it is. */
export function scalarText(value: Json | undefined): string | null {
  if (typeof value === 'string') return value.trim() === '' ? null : value;
  return typeof value === 'number' ? String(value) : null;
}

/** Structured messages (a list of validation errors) are kept as their JSON. */
export function textOf(value: Json | undefined): string | null {
  return typeof value === 'object' && value !== null ? jsonText(value) : scalarText(value);
}

/** What was parsed may be nested too deep to be written again: then it says nothing. */
export function jsonText(value: Json): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** A code is a short label for retry policies to match: one line, no control characters. */
export function cleanCode(code: string | null): string {
  if (code === null) return '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  const line = code.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return storableText(line, MAX_CODE_LENGTH);
}

/** A message is for people: line breaks stay, what Postgres cannot store goes. */
export function cleanMessage(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  const storable = message.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '');
  return storableText(storable, limits.maxErrorMessageLength);
}
