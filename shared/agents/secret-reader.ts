import { LRUCache } from 'lru-cache';
import { decryptSecret } from './secrets.ts';

const MAX_KEPT = 1_000;

/**
 * Decrypts stored secrets and remembers them: the same few agents are called again and again.
 * @throws SecretUnreadableError from what it returns
 */
export function createSecretReader(secretKey: Buffer): (encrypted: Buffer) => string {
  const kept = new LRUCache<string, string>({ max: MAX_KEPT });
  return (encrypted) => {
    const name = encrypted.toString('latin1');
    let secret = kept.get(name);
    if (secret === undefined) {
      secret = decryptSecret(secretKey, encrypted);
      kept.set(name, secret);
    }
    return secret;
  };
}
