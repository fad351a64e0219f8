import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { deriveKey } from './derive-key.ts';

/** A stored secret cannot be read with this key: STEPLINE_SECRET_KEY was changed, or the row was. */
export class SecretUnreadableError extends Error {
  readonly code = 'SECRET_UNREADABLE';
}

const FORMAT = 1;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + IV_BYTES + TAG_BYTES;
const WHSEC = 'whsec_';

/**
 * AES-256-GCM under a key derived from STEPLINE_SECRET_KEY.
 * @returns what `agents.secret_encrypted` holds: format (1 byte), nonce (12), tag (16), ciphertext.
 */
export function encryptSecret(secretKey: Buffer, secret: string): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', encryptionKey(secretKey), iv);
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), iv, cipher.getAuthTag(), text]);
}

/** @throws SecretUnreadableError */
export function decryptSecret(secretKey: Buffer, encrypted: Buffer): string {
  if (encrypted.length < HEADER_BYTES || encrypted[0] !== FORMAT) {
    throw new SecretUnreadableError('The stored agent secret has an unknown form. Register the agent again.');
  }
  const iv = encrypted.subarray(1, 1 + IV_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', encryptionKey(secretKey), iv, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(encrypted.subarray(1 + IV_BYTES, HEADER_BYTES));
  try {
    return decipher.update(encrypted.subarray(HEADER_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch (cause) {
    throw new SecretUnreadableError(
      'The stored agent secret was encrypted with another STEPLINE_SECRET_KEY. Set that one, or register the agent again.',
      { cause },
    );
  }
}

/** A new secret in Standard Webhooks' form: `whsec_` and 32 random bytes in base64. */
export function generateSecret(): string {
  return WHSEC + randomBytes(32).toString('base64');
}

/**
 * The bytes that sign. `whsec_…` is Standard Webhooks' form, base64 after the prefix; any other text is itself the key, as
 * UTF-8 (the receiver's library then takes `new Webhook(secret, { format: 'raw' })`).
 * @returns null where `whsec_` is not followed by base64 of at least one byte.
 */
export function signingKeyOf(secret: string): Buffer | null {
  if (!secret.startsWith(WHSEC)) return secret === '' ? null : Buffer.from(secret, 'utf8');
  const encoded = secret.slice(WHSEC.length);
  const isBase64 = encoded.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(encoded);
  return isBase64 ? Buffer.from(encoded, 'base64') : null;
}

/** What is wrong with a secret that somebody wants to register, or null. */
export function checkAgentSecret(secret: string): string | null {
  if (secret.length < 8 || secret.length > 512) return 'expected 8 to 512 characters';
  if (!secret.isWellFormed()) return 'expected well-formed Unicode';
  return signingKeyOf(secret) ? null : 'expected base64 after whsec_';
}

const encryptionKeys = new WeakMap<Buffer, KeyObject>();
function encryptionKey(secretKey: Buffer): KeyObject {
  let key = encryptionKeys.get(secretKey);
  if (!key) {
    key = deriveKey(secretKey, 'agent-secret');
    encryptionKeys.set(secretKey, key);
  }
  return key;
}
