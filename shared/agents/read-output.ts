import { isAscii, isUtf8 } from 'node:buffer';
import { limits } from '../config/limits.ts';
import { storableText } from '../engine/storable-text.ts';
import { type PayloadProblemCode, parsePayload } from '../messages/payload.ts';
import { type CallOutcome, type FailedCall, failedCall } from './call-outcome.ts';
import { ACCEPTED_ENCODINGS, decodeBody } from './content-encoding.ts';

/** What a step fails with whose agent's answer is no payload. */
export const codeOfProblem: Readonly<Record<PayloadProblemCode, string>> = {
  NOT_JSON: 'AGENT_ANSWER_NOT_JSON',
  TOO_LARGE: 'DATA_LIMIT',
  TOO_DEEP: 'TOO_DEEP',
  TOO_MANY_ENTRIES: 'TOO_MANY_ENTRIES',
  UNSTORABLE: 'UNSTORABLE',
};

/** What is larger as it comes is larger when it is decoded, too: what cannot be made smaller grows by less than this. */
const ENCODING_OVERHEAD_BYTES = 1024;
export const MAX_ENCODED_BYTES = limits.maxPayloadBytes + ENCODING_OVERHEAD_BYTES;

const BOM = Buffer.of(0xef, 0xbb, 0xbf);

export interface SuccessfulAnswer {
  /** Null where the header is absent. */
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly body: Buffer;
}

/** The body of an HTTP agent's 2xx answer. */
export function readAnswer({ contentType, contentEncoding, body }: SuccessfulAnswer): CallOutcome {
  const decoded = decodeBody(body, contentEncoding, { maxBytes: limits.maxPayloadBytes });
  if (decoded.ok) return readOutput(decoded.body, charsetOf(contentType));
  const { code, coding } = decoded;
  if (code === 'TOO_LARGE') return outputTooLarge();
  if (code === 'BROKEN')
    return refused('NOT_JSON', `expected a body in its Content-Encoding ${nameOf(coding)}, got another`);
  return refused('NOT_JSON', `expected no Content-Encoding but ${ACCEPTED_ENCODINGS}, got ${nameOf(coding)}`);
}

/**
 * JSON is the step's output; no body is the output null, and so is one of nothing but white space. What cannot be stored fails, and
 * stays failed.
 * @param charset of its Content-Type, where one is named
 */
export function readOutput(body: Buffer, charset: string | null = null): CallOutcome {
  const isOther = charset !== null && !/^(utf-?8|(us-)?ascii)$/.test(charset);
  const got = isOther ? `, got charset ${nameOf(charset)}` : '';
  // In ASCII most charsets are alike; beyond it another one would change the text.
  if (!isUtf8(body) || (isOther && !isAscii(body)))
    return refused('NOT_JSON', `expected JSON in UTF-8${got}`);
  // Some platforms put a byte order mark before their JSON; RFC 8259 lets a reader ignore it.
  const start = body.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0;
  const text = body.toString('utf8', start);
  if (/^[ \t\r\n]*$/.test(text)) return { status: 'completed', output: null, logs: null };
  const parsed = parsePayload(text, { ...limits, maxBytes: limits.maxPayloadBytes });
  if (parsed.ok) return { status: 'completed', output: parsed.value, logs: null };
  const { code, path, message } = parsed.problem;
  return refused(code, (path === '' ? message : `at ${path}: ${message}`) + (code === 'NOT_JSON' ? got : ''));
}

export function outputTooLarge(): FailedCall {
  return refused('TOO_LARGE', `expected at most ${limits.maxPayloadBytes} bytes of JSON, got more`);
}

/** RFC 9110 §8.3.2; its values are case-insensitive. */
function charsetOf(contentType: string | null): string | null {
  return /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null;
}

function nameOf(given: string): string {
  return storableText(given, 100);
}

function refused(code: PayloadProblemCode, expectation: string): FailedCall {
  const message = storableText(
    `The agent's answer cannot be used: ${expectation}`,
    limits.maxErrorMessageLength,
  );
  return failedCall(codeOfProblem[code], message, { retryable: false });
}
