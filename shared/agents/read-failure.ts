import { STATUS_CODES } from 'node:http';
import type { Json } from '../engine/json.ts';
import { storableText } from '../engine/storable-text.ts';
import { type FailedCall, failedCall } from './call-outcome.ts';
import { decodeBody } from './content-encoding.ts';
import { cleanCode, cleanMessage, NO_CODE } from './error-text.ts';
import { withoutQuery } from './name-the-call.ts';
import { describeError } from './read-error.ts';
import { retryAfterMs } from './retry-after.ts';

/** Of an error's body only a code and a message are kept. */
export const MAX_ERROR_BODY_BYTES = 64 * 1024;
/** What comes out of that much when it is decoded; beyond it the body says nothing. */
const MAX_DECODED_BYTES = 1024 * 1024;

export interface FailedAnswer {
  readonly status: number;
  /** Null where the header is absent. */
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly retryAfter: string | null;
  readonly location: string | null;
  /** As much of the body as was read; it may be cut, or not be JSON at all. */
  readonly body: Buffer;
}

/** An answer that is neither 2xx nor 202: design §4, "Agents". @param nowMs epoch milliseconds, for a `Retry-After` date. */
export function readFailure(answer: FailedAnswer, nowMs: number): FailedCall {
  const { status } = answer;
  if (status >= 300 && status < 400) {
    const target = answer.location === null ? '' : ` to ${storableText(withoutQuery(answer.location), 500)}`;
    const message = `The agent answered ${status}, a redirect${target}. Redirects are not followed: register the address that answers.`;
    return failedCall('AGENT_REDIRECTED', cleanMessage(message), { retryable: false });
  }
  const retryable = isRetryableStatus(status);
  const { code, message } = describe(answer);
  return failedCall(cleanCode(code) || NO_CODE, cleanMessage(message ?? '') || statusMessage(status), {
    retryable,
    retryAfterMs: retryable ? retryAfterMs(answer.retryAfter, nowMs) : undefined,
  });
}

function isRetryableStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status < 600);
}

function statusMessage(status: number): string {
  const reason = STATUS_CODES[status];
  return `The agent answered ${status}${reason === undefined ? '' : ` ${reason}`}`;
}

/** What the body says of itself, in whichever of the usual forms. */
function describe({ body: encoded, contentType, contentEncoding, status }: FailedAnswer): {
  code: string | null;
  message: string | null;
} {
  const decoded = decodeBody(encoded, contentEncoding, { maxBytes: MAX_DECODED_BYTES, mayBeCut: true });
  if (!decoded.ok) {
    const { coding } = decoded;
    return {
      code: null,
      message: `${statusMessage(status)}, and its body cannot be read: Content-Encoding ${storableText(coding, 100)}`,
    };
  }
  const { body } = decoded;
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // A proxy's plain sentence helps; its HTML page does not.
    const plain = text.trim();
    const helps = plain !== '' && !plain.startsWith('<') && !contentType?.includes('html');
    return { code: null, message: helps ? `${statusMessage(status)}: ${plain}` : null };
  }
  return describeError(value, contentType?.includes('problem+json') === true);
}
