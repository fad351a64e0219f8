import { isJsonObject, type Json } from '../engine/json.ts';
import { cleanCode, cleanMessage, jsonText, NO_CODE, scalarText, textOf } from './error-text.ts';
import { MAX_RETRY_AFTER_MS } from './retry-after.ts';

/**
 * What an error says of itself, in whichever of the usual forms: text, `{code, message}`, `{error}` as either of them, or
 * problem+json. As it is: neither cleaned nor cut.
 * @param isProblem whether the sender named it problem+json
 */
export function describeError(
  value: Json,
  isProblem = false,
): { readonly code: string | null; readonly message: string | null } {
  if (value === null) return { code: null, message: null };
  if (!isJsonObject(value)) return { code: null, message: scalarText(value) ?? jsonText(value) };
  const nested = isJsonObject(value.error) ? value.error : {};
  const detail = textOf(value.detail) ?? scalarText(value.title);
  const type = (isProblem || detail !== null) && value.type !== 'about:blank' ? scalarText(value.type) : null;
  return {
    code: scalarText(value.code) ?? scalarText(nested.code) ?? type,
    message: textOf(value.message) ?? scalarText(value.error) ?? textOf(nested.message) ?? detail,
  };
}

export interface ReportedFailure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** Whole milliseconds, a day at most. */
  readonly retryAfterMs: number | undefined;
}

const NO_MESSAGE = 'The agent failed and said no more';

/**
 * The failure that an agent reports by itself, on Kafka or to `…/fail`. It did its work and says how it ended: whatever is odd
 * about a detail, the failure counts, and the detail is read as what it can only mean, or as if it were not there. Clients write
 * null for what is absent, codes as numbers, errors as texts.
 * @param retryable what holds where it does not say
 */
export function readReport(value: Json | undefined, retryable: boolean): ReportedFailure {
  const { code, message } = describeError(value ?? null);
  const said = isJsonObject(value) ? value : {};
  const nested = isJsonObject(said.error) ? said.error : {};
  return {
    code: cleanCode(code) || NO_CODE,
    message: cleanMessage(message ?? '') || NO_MESSAGE,
    retryable: flagOf(said.retryable ?? nested.retryable) ?? retryable,
    retryAfterMs: retryAfterOf(said.retry_after_ms ?? nested.retry_after_ms),
  };
}

function flagOf(value: Json | undefined): boolean | null {
  if (typeof value === 'boolean') return value;
  const text = scalarText(value)?.trim().toLowerCase();
  if (text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' ? false : null;
}

/** Below nothing, and no number at all, is not said. */
function retryAfterOf(value: Json | undefined): number | undefined {
  const text = scalarText(value);
  const ms = text === null ? Number.NaN : Number(text);
  return ms >= 0 ? Math.ceil(Math.min(ms, MAX_RETRY_AFTER_MS)) : undefined;
}
