import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { signingKeyOf } from './secrets.ts';

export interface CallSigner {
  /** @returns the three headers of Standard Webhooks, flat name and value; null where the secret is not one. */
  sign(secret: string, id: string, body: Buffer): string[] | null;
}

const MAX_KEYS = 1_000;

/**
 * Signs as the library `standardwebhooks` does, and its receivers verify with that library; the tests hold the two together.
 * With node's HMAC over a cached key: 3 µs for a small body and 0.1 ms for a full one, where the library takes 7 µs and 2 ms.
 */
export function createCallSigner(clock: () => number): CallSigner {
  const keys = new Map<string, KeyObject>();
  const keyOf = (secret: string) => {
    let key = keys.get(secret);
    if (!key) {
      const bytes = signingKeyOf(secret);
      if (!bytes) return null;
      if (keys.size >= MAX_KEYS) keys.clear();
      key = createSecretKey(bytes);
      keys.set(secret, key);
    }
    return key;
  };
  return {
    sign(secret, id, body) {
      const key = keyOf(secret);
      if (!key) return null;
      const timestamp = String(Math.floor(clock() / 1000));
      const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
      return ['webhook-id', id, 'webhook-timestamp', timestamp, 'webhook-signature', `v1,${signature}`];
    },
  };
}
