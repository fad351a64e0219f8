import { STATUS_CODES } from 'node:http';
import type { Json } from '../engine/json.ts';
import { type FailedCall, failedCall } from './call-outcome.ts';
import { cleanCode, cleanMessage, NO_CODE } from './error-text.ts';
import { describeError } from './read-error.ts';
import { retryAfterMs } from './retry-after.ts';

export interface FailedAnswer {
  readonly status: number;
  /** Null where the header is absent. */
  readonly contentType: string | null;
  readonly retryAfter: string | null;
  readonly location: string | null;
  /** As much of the body as was read; it may be cut, or not be JSON at all. */
  readonly body: Buffer;
}

/** An answer that is neither 2xx nor 202: design §4, "Agents". @param nowMs epoch milliseconds, for a `Retry-After` date. */
export function readFailure(answer: FailedAnswer, nowMs: number): FailedCall {
  const { status } = answer;
  if (status >= 300 && status < 400) {
    const target = answer.location === null ? '' : ` to ${answer.location.slice(0, 500)}`;
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
function describe({ body, contentType, status }: FailedAnswer): {
  code: string | null;
  message: string | null;
} {
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
