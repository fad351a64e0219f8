import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';

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

/** Whether this is what is stored; what cannot be read is another. */
export function isSameSecret(secretKey: Buffer, encrypted: Buffer, secret: string): boolean {
  try {
    return decryptSecret(secretKey, encrypted) === secret;
  } catch (error) {
    if (error instanceof SecretUnreadableError) return false;
    throw error;
  }
}

/** A new secret in Standard Webhooks' form: `whsec_` and 32 random bytes in base64. */
export function generateSecret(): string {
  return WHSEC + randomBytes(32).toString('base64');
}

/** Standard Webhooks, "Signature scheme": between 192 and 512 bits. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;

/**
 * The bytes that sign: what the secret's base64 says, with `whsec_` before it or without, as the libraries of Standard Webhooks
 * take it. They differ in everything else: of letters that base64 does not have, some raise and some read past them, and only a few
 * take a text as the key. So nothing else is taken here: every library makes the same key of the same secret.
 * @returns null where it is not the one standard spelling, padding included, of one to 64 bytes.
 */
export function signingKeyOf(secret: string): Buffer | null {
  const encoded = secret.startsWith(WHSEC) ? secret.slice(WHSEC.length) : secret;
  // Longer than any; the rest is not worth decoding.
  if (encoded.length > 2 * MAX_KEY_BYTES) return null;
  const key = Buffer.from(encoded, 'base64');
  const isOne = key.length > 0 && key.length <= MAX_KEY_BYTES && key.toString('base64') === encoded;
  return isOne ? key : null;
}

export const SECRET_FORM = `whsec_ and ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes in base64 (A-Z, a-z, 0-9, +, / and the padding =)`;

/** What is wrong with a secret that somebody wants to register, or null. */
export function checkAgentSecret(secret: string): string | null {
  return (signingKeyOf(secret)?.length ?? 0) >= MIN_KEY_BYTES
    ? null
    : `expected ${SECRET_FORM}, which libraries of Standard Webhooks read alike`;
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

/**
 * One key per purpose out of STEPLINE_SECRET_KEY, so that what serves one can never stand in for another. As a KeyObject: an
 * HMAC over one costs 1.6 µs, over a Buffer 13 µs.
 */
export function deriveKey(secretKey: Buffer, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secretKey, '', `stepline/${purpose}`, 32)));
}

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
