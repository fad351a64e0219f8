import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'sk_';
const RANDOM_BYTES = 32;
/** `sk_` and 32 bytes in base64url without padding. */
const KEY_LENGTH = PREFIX.length + Math.ceil((RANDOM_BYTES * 4) / 3);
const SHOWN_LENGTH = PREFIX.length + 8;

export interface NewApiKey {
  /** Shown once, never stored. */
  readonly key: string;
  readonly hash: Buffer;
  /** Its first characters, by which its owner recognises it. */
  readonly prefix: string;
}

export function generateApiKey(): NewApiKey {
  const key = PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
  return { key, hash: hashApiKey(key), prefix: prefixOfApiKey(key) };
}

export function prefixOfApiKey(key: string): string {
  return key.slice(0, SHOWN_LENGTH);
}

/**
 * Plain SHA-256: a slow hash protects what people choose. Nobody guesses 256 random bits, however fast the hash; and this one
 * is computed at every request.
 */
export function hashApiKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** False saves the look-up: this was never a key of ours. */
export function looksLikeApiKey(text: string): boolean {
  return text.length === KEY_LENGTH && text.startsWith(PREFIX);
}
