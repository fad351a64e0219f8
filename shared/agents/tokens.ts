import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { deriveKey } from './secrets.ts';

/** What authorises an answer for one attempt: the result token on Kafka, the callback token in a `callback_url`. */
export interface Tokens {
  /** 43 characters of base64url. */
  resultToken(stepExecutionId: string): string;
  callbackToken(stepExecutionId: string): string;
  verifyResultToken(stepExecutionId: string, token: string): boolean;
  verifyCallbackToken(stepExecutionId: string, token: string): boolean;
}

/** @param secretKey STEPLINE_SECRET_KEY's bytes; every function of a deployment has the same. */
export function createTokens(secretKey: Buffer): Tokens {
  const resultKey = deriveKey(secretKey, 'result-token');
  const callbackKey = deriveKey(secretKey, 'callback-token');
  return {
    resultToken: (id) => sign(resultKey, id).toString('base64url'),
    callbackToken: (id) => sign(callbackKey, id).toString('base64url'),
    verifyResultToken: (id, token) => verify(resultKey, id, token),
    verifyCallbackToken: (id, token) => verify(callbackKey, id, token),
  };
}

function sign(key: KeyObject, id: string): Buffer {
  return createHmac('sha256', key).update(id).digest();
}

function verify(key: KeyObject, id: string, token: string): boolean {
  // The text is compared, not what it decodes to: base64url has more than one spelling of the same bytes.
  const expected = Buffer.from(sign(key, id).toString('base64url'));
  const given = Buffer.from(token);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
