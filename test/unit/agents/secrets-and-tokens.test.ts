import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  checkAgentSecret,
  createSecretReader,
  decryptSecret,
  encryptSecret,
  generateSecret,
  isSameSecret,
  signingKeyOf,
} from '../../../shared/agents/secrets.ts';
import { createCallSigner, webhookIdOf } from '../../../shared/agents/sign-call.ts';
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

  it('is known again, and another is not, nor one that cannot be read', () => {
    expect(isSameSecret(key, encryptSecret(key, 'a'), 'a')).toBe(true);
    expect(isSameSecret(key, encryptSecret(key, 'a'), 'b')).toBe(false);
    expect(isSameSecret(Buffer.alloc(32, 2), encryptSecret(key, 'a'), 'a')).toBe(false);
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
    generateSecret(),
    // The example of the specification, with the prefix and without.
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    `whsec_${Buffer.alloc(64, 0xfb).toString('base64')}`,
    // Hexadecimal digits are base64 as well, and every library reads them so.
    '0123456789abcdef0123456789abcdef',
  ])('%s signs as the Standard Webhooks library does', (secret) => {
    expect(checkAgentSecret(secret)).toBeNull();
    const headers = headersOf(createCallSigner(Date.now).sign([secret], 'msg_1', Buffer.from('{}')));
    expect(() => new Webhook(secret).verify('{}', headers)).not.toThrow();
  });

  it.each([
    ['plain text', 'a secret as people write it: ümläut'],
    ['nothing', ''],
    ['the prefix alone', 'whsec_'],
    ['letters of base64 for URLs', `whsec_${Buffer.alloc(32, 0xfb).toString('base64url')}=`],
    ['no padding', `whsec_${Buffer.alloc(32, 1).toString('base64').replace('=', '')}`],
    ['bits behind the last byte', `whsec_${'A'.repeat(42)}B=`],
    ['a line break', `whsec_${'A'.repeat(32)}\n`],
    ['blanks around', ' whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    ['too long a key', `whsec_${Buffer.alloc(65, 1).toString('base64')}`],
    ['far too much', 'A'.repeat(1_000_000)],
    ['a lone surrogate', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS\ud800'],
  ])('with %s is refused', (_, secret) => {
    expect(checkAgentSecret(secret)).toBe(
      'expected whsec_ and 24 to 64 bytes in base64 (A-Z, a-z, 0-9, +, / and the padding =), which libraries of Standard Webhooks read alike',
    );
    expect(createCallSigner(Date.now).sign([secret], 'msg_1', Buffer.from('{}'))).toBeNull();
  });

  it('with too short a key is refused, and one that was let in once signs on', () => {
    const secret = `whsec_${Buffer.alloc(23, 1).toString('base64')}`;
    expect(checkAgentSecret(secret)).toContain('24 to 64 bytes');
    const headers = headersOf(createCallSigner(Date.now).sign([secret], 'msg_1', Buffer.from('{}')));
    expect(() => new Webhook(secret).verify('{}', headers)).not.toThrow();
  });

  it('is made with 32 random bytes', () => {
    expect(signingKeyOf(generateSecret())).toHaveLength(32);
    expect(generateSecret()).not.toBe(generateSecret());
  });
});

function headersOf(signed: readonly string[] | null): Record<string, string> {
  return Object.fromEntries([0, 2, 4].map((i) => [signed![i]!, signed![i + 1]!]));
}

describe('a signature', () => {
  const bodies = ['{}', '{"text":"ümläuts 🔑"}', 'x'.repeat(100_000)];

  it.each(bodies)('is the one that the Standard Webhooks library verifies', (body) => {
    const secret = generateSecret();
    const headers = headersOf(createCallSigner(Date.now).sign([secret], 'step-1', Buffer.from(body)));
    expect(() => new Webhook(secret).verify(body, headers, { jsonParse: false })).not.toThrow();
    expect(() => new Webhook(secret).verify(`${body} `, headers, { jsonParse: false })).toThrow();
  });

  it('has the time in seconds, and is of exactly this form', () => {
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
    const signed = createCallSigner(() => 1_700_000_000_999).sign([secret], 'msg_1', Buffer.from('{}'));
    const expected = new Webhook(secret).sign('msg_1', new Date(1_700_000_000_000), '{}');
    expect(signed).toEqual([
      'webhook-id',
      'msg_1',
      'webhook-timestamp',
      '1700000000',
      'webhook-signature',
      expected,
    ]);
  });

  it('is made by each secret while one takes the place of another, and verified with either', () => {
    const secrets = [generateSecret(), generateSecret()];
    const headers = headersOf(createCallSigner(Date.now).sign(secrets, 'msg_1', Buffer.from('{}')));
    expect(headers['webhook-signature']).toMatch(/^v1,[^ ]+ v1,[^ ]+$/);
    for (const secret of secrets) expect(() => new Webhook(secret).verify('{}', headers)).not.toThrow();
    expect(() => new Webhook(generateSecret()).verify('{}', headers)).toThrow();
  });

  it('is made by what can sign, and by nothing where no secret can', () => {
    const { sign } = createCallSigner(Date.now);
    const secret = generateSecret();
    expect(headersOf(sign(['whsec_!', secret], 'msg_1', Buffer.from('{}')))['webhook-signature']).toMatch(
      /^v1,[^ ]+$/,
    );
    expect(sign(['whsec_!'], 'msg_1', Buffer.from('{}'))).toBeNull();
    expect(sign([], 'msg_1', Buffer.from('{}'))).toEqual([]);
  });

  it('is for an id that stays with the idempotency key, and has no dot', () => {
    expect(webhookIdOf('run-1:extract:1')).toBe(webhookIdOf('run-1:extract:1'));
    expect(webhookIdOf('run-1:extract:1')).not.toBe(webhookIdOf('run-1:extract:2'));
    for (const key of ['run-1:extract:1', '', 'a.b', 'schritt für\r\n', '\ud800'])
      expect(webhookIdOf(key)).toMatch(/^msg_[A-Za-z0-9_-]{43}$/);
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
