const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * `Retry-After` (RFC 9110 §10.2.3: whole seconds, or an HTTP date) as milliseconds from now, at most a day.
 * @returns undefined where the header is absent or says neither.
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_RETRY_AFTER_MS);
  // Every form of an HTTP date begins with the day's name; without that, Date.parse would take almost anything.
  const isDate = /^[A-Za-z]{3,9},? /.test(text);
  // Its oldest form names no zone, and means GMT as well.
  const atMs = isDate ? Date.parse(text.endsWith('GMT') ? text : `${text} GMT`) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(atMs - nowMs, 0), MAX_RETRY_AFTER_MS);
}
