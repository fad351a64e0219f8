import { parseHttpDate } from './http-date.ts';

export const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * `Retry-After` (RFC 9110 §10.2.3: whole seconds, or an HTTP-date) as milliseconds from now, at most a day.
 * @returns undefined where the header is absent or says neither: the step's retry policy alone says when.
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.replace(/^[ \t]+|[ \t]+$/g, '');
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS);
  const atMs = parseHttpDate(text, nowMs);
  return atMs === null ? undefined : Math.min(Math.max(atMs - nowMs, 0), MAX_RETRY_AFTER_MS);
}
