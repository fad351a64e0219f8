import { decryptSecret } from './secrets.ts';

const MAX_KEPT = 1_000;

/**
 * Decrypts stored secrets and remembers them: the same few agents are called again and again.
 * @throws SecretUnreadableError from what it returns
 */
export function createSecretReader(secretKey: Buffer): (encrypted: Buffer) => string {
  const kept = new Map<string, string>();
  return (encrypted) => {
    const name = encrypted.toString('latin1');
    let secret = kept.get(name);
    if (secret === undefined) {
      secret = decryptSecret(secretKey, encrypted);
      if (kept.size >= MAX_KEPT) kept.clear();
      kept.set(name, secret);
    }
    return secret;
  };
}
