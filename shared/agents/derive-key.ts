import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/**
 * One key per purpose out of STEPLINE_SECRET_KEY, so that what serves one can never stand in for another. As a KeyObject: an
 * HMAC over one costs 1.6 µs, over a Buffer 13 µs.
 */
export function deriveKey(secretKey: Buffer, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', `stepline/${purpose}`, 32)));
}
