import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { createSecretReader } from '../../../shared/agents/secret-reader.ts';
import {
  checkAgentSecret,
  decryptSecret,
  encryptSecret,
  generateSecret,
  signingKeyOf,
} from '../../../shared/agents/secrets.ts';
import { createCallSigner } from '../../../shared/agents/sign-call.ts';
import { createTokens } from '../../../shared/agents/tokens.ts';

const key = Buffer.alloc(32, 1);

describe('a stored secret', () => {
  it.each(['whsec_c2VjcmV0', 'plain text, ümläuts and 🔑', ''])('is read back: %j', (secret) => {
    const stored = encryptSecret(key, secret);
    expect(decryptSecret(key, stored)).toBe(secret);
    expect(createSecretReader(key)(stored)).toBe(secret);
  });

  it('does not hold the text', () => {
    const secret = 'whsec_c2VjcmV0';
    expect(encryptSecret(key, secret).includes(Buffer.from(secret))).toBe(false);
  });

  it('looks different each time', () => {
    expect(encryptSecret(key, 'same').equals(encryptSecret(key, 'same'))).toBe(false);
  });

  it.each<[string, (stored: Buffer) => Buffer]>([
    ['cut', (stored) => stored.subarray(0, 20)],
    ['empty', () => Buffer.alloc(0)],
    ['of another format', (stored) => Buffer.concat([Buffer.of(9), stored.subarray(1)])],
    ['changed', (stored) => Buffer.concat([stored.subarray(0, -1), Buffer.of(stored.at(-1)! ^ 1)])],
  ])('that is %s cannot be read', (_, spoil) => {
    expect(() => decryptSecret(key, spoil(encryptSecret(key, 'secret')))).toThrow(
      expect.objectContaining({ code: 'SECRET_UNREADABLE' }),
    );
  });

  it('cannot be read with another key', () => {
    const stored = encryptSecret(key, 'secret');
    expect(() => decryptSecret(Buffer.alloc(32, 2), stored)).toThrow(/STEPLINE_SECRET_KEY/);
  });
});

describe('a secret to register', () => {
  it.each([
    ['12345678', null],
    [generateSecret(), null],
    ['short', 'expected 8 to 512 characters'],
    ['x'.repeat(513), 'expected 8 to 512 characters'],
    ['whsec_not base64!', 'expected base64 after whsec_'],
    ['whsec_abc', 'expected base64 after whsec_'],
    ['12345678\ud800', 'expected well-formed Unicode'],
  ])('%j: %s', (secret, problem) => {
    expect(checkAgentSecret(secret)).toBe(problem);
  });

  it('is made with 32 random bytes', () => {
    expect(signingKeyOf(generateSecret())).toHaveLength(32);
    expect(generateSecret()).not.toBe(generateSecret());
  });
});

describe('a signature', () => {
  const bodies = ['{}', '{"text":"ümläuts 🔑"}', 'x'.repeat(100_000)];

  it.each(bodies)('is the one that the Standard Webhooks library verifies', (body) => {
    const secret = generateSecret();
    const signed = createCallSigner(Date.now).sign(secret, 'step-1', Buffer.from(body))!;
    const headers = Object.fromEntries([0, 2, 4].map((i) => [signed[i]!, signed[i + 1]!]));
    expect(() => new Webhook(secret).verify(body, headers, { jsonParse: false })).not.toThrow();
    expect(() => new Webhook(secret).verify(`${body} `, headers, { jsonParse: false })).toThrow();
  });

  it('by a secret in plain text is verified with the raw format', () => {
    const secret = 'a secret as people write it: ümläut';
    const signed = createCallSigner(() => 1_700_000_000_999).sign(secret, 'step-1', Buffer.from('{}'))!;
    const expected = new Webhook(Buffer.from(secret), { format: 'raw' }).sign(
      'step-1',
      new Date(1_700_000_000_000),
      '{}',
    );
    expect(signed).toEqual([
      'webhook-id',
      'step-1',
      'webhook-timestamp',
      '1700000000',
      'webhook-signature',
      expected,
    ]);
  });

  it('is not made with a secret that is none', () => {
    expect(createCallSigner(Date.now).sign('whsec_!', 'step-1', Buffer.from('{}'))).toBeNull();
  });
});

describe('tokens', () => {
  const tokens = createTokens(key);

  it('are 43 characters that belong to one attempt and one purpose', () => {
    const { resultToken, callbackToken, verifyResultToken, verifyCallbackToken } = tokens;
    expect(resultToken('a')).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(resultToken('a')).toBe(createTokens(key).resultToken('a'));
    expect(verifyResultToken('a', resultToken('a'))).toBe(true);
    expect(verifyCallbackToken('a', callbackToken('a'))).toBe(true);
    expect(verifyResultToken('b', resultToken('a'))).toBe(false);
    expect(verifyResultToken('a', callbackToken('a'))).toBe(false);
    expect(verifyCallbackToken('a', resultToken('a'))).toBe(false);
    expect(createTokens(randomBytes(32)).verifyResultToken('a', resultToken('a'))).toBe(false);
  });

  it.each(['', 'x', 'x'.repeat(43), 'ü'.repeat(43), `${tokens.resultToken('a')}=`])(
    '%j is refused',
    (token) => {
      expect(tokens.verifyResultToken('a', token)).toBe(false);
    },
  );

  it('has one spelling only', () => {
    // The last of 43 characters carries two bits that mean nothing.
    const token = tokens.resultToken('a');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(token.at(-1)!) ^ 1];
    expect(Buffer.from(twin, 'base64url')).toEqual(Buffer.from(token, 'base64url'));
    expect(tokens.verifyResultToken('a', twin)).toBe(false);
  });
});
