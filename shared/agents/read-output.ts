import { isUtf8 } from 'node:buffer';
import { limits } from '../config/limits.ts';
import { type PayloadProblemCode, parsePayload } from '../messages/payload.ts';
import { type CallOutcome, type FailedCall, failedCall } from './call-outcome.ts';

/** What a step fails with whose agent's answer is no payload. */
export const codeOfProblem: Readonly<Record<PayloadProblemCode, string>> = {
  NOT_JSON: 'AGENT_ANSWER_NOT_JSON',
  TOO_LARGE: 'DATA_LIMIT',
  TOO_DEEP: 'TOO_DEEP',
  TOO_MANY_ENTRIES: 'TOO_MANY_ENTRIES',
  UNSTORABLE: 'UNSTORABLE',
};

/** The body of a 2xx answer is the step's output; no body is the output null. What cannot be stored fails, and stays failed. */
export function readOutput(body: Buffer): CallOutcome {
  if (body.length === 0) return { status: 'completed', output: null, logs: null };
  if (!isUtf8(body)) return refused('NOT_JSON', 'expected JSON in UTF-8');
  // Some platforms put a byte order mark before their JSON; RFC 8259 lets a reader ignore it.
  const start = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
  const parsed = parsePayload(body.toString('utf8', start), { ...limits, maxBytes: limits.maxPayloadBytes });
  if (parsed.ok) return { status: 'completed', output: parsed.value, logs: null };
  const { code, path, message } = parsed.problem;
  return refused(code, path === '' ? message : `at ${path}: ${message}`);
}

export function outputTooLarge(): FailedCall {
  return refused('TOO_LARGE', `expected at most ${limits.maxPayloadBytes} bytes of JSON, got more`);
}

function refused(code: PayloadProblemCode, expectation: string): FailedCall {
  const message = `The agent's answer cannot be used: ${expectation}`.slice(0, limits.maxErrorMessageLength);
  return failedCall(codeOfProblem[code], message.toWellFormed(), { retryable: false });
}
