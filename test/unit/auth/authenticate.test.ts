import { describe, expect, it } from 'vitest';
import { generateApiKey, hashApiKey, looksLikeApiKey } from '../../../shared/auth/api-key.ts';
import { type ApiKeys, createAuthenticate, type StoredApiKey } from '../../../shared/auth/authenticate.ts';
import type { Caller } from '../../../shared/auth/caller.ts';

const now = new Date('2026-01-01T00:10:00Z');
const { key, hash, prefix } = generateApiKey();
const stored: StoredApiKey = {
  id: 'k1',
  version: '7',
  userId: 'ann',
  roles: ['admin'],
  communities: [7],
  tier: 'premium',
  scopes: ['read'],
  lastUsedAt: null,
};
const jwtCaller: Caller = { userId: 'bob', isAdmin: false, communities: [], via: 'jwt', key: null };

function authenticateWith(mode: 'required' | 'anonymous', lastUsedAt: Date | null = null) {
  const asked: Buffer[] = [];
  const used: string[] = [];
  const apiKeys: ApiKeys = {
    async maybeFindApiKey(given) {
      asked.push(given);
      return given.equals(hash) ? { ...stored, lastUsedAt } : null;
    },
    recordApiKeyUse: async (id) => void used.push(id),
  };
  const verifyJwt = async (token: string) => (token === 'good' ? jwtCaller : null);
  return { authenticate: createAuthenticate({ apiKeys, verifyJwt, mode, now: () => now }), asked, used };
}
const credentials = (apiKey?: string, authorization?: string) => ({ apiKey, authorization });

describe('API keys', () => {
  it('are random, long, prefixed, and hashed without salt', () => {
    const other = generateApiKey();
    expect(key).toMatch(/^sk_[\w-]{43}$/);
    expect(other.key).not.toBe(key);
    expect(prefix).toBe(key.slice(0, 11));
    expect(hashApiKey(key)).toEqual(hash);
    expect(hash).toHaveLength(32);
    expect([key, `${key}x`, 'sk_x', ''].map(looksLikeApiKey)).toEqual([true, false, false, false]);
  });
});

describe('authenticating', () => {
  it('by a key that was let in before, where that may be remembered', async () => {
    const { authenticate, asked } = authenticateWith('required');
    expect(await authenticate(credentials(key), true)).toMatchObject({ ok: true, remembered: null });
    expect(await authenticate(credentials(key), true)).toMatchObject({
      caller: { userId: 'ann' },
      remembered: { id: 'k1', version: '7' },
    });
    expect(asked).toHaveLength(1);
    expect(await authenticate(credentials(key))).toMatchObject({ ok: true, remembered: null });
    expect(asked).toHaveLength(2);
    const other = generateApiKey().key;
    for (const mayRemember of [true, true])
      expect(await authenticate(credentials(other), mayRemember)).toMatchObject({ ok: false });
    expect(asked).toHaveLength(4);
  });

  it('by key', async () => {
    const { authenticate } = authenticateWith('required');
    expect(await authenticate(credentials(key))).toMatchObject({
      ok: true,
      caller: {
        userId: 'ann',
        isAdmin: true,
        communities: [7],
        via: 'api_key',
        key: { id: 'k1', tier: 'premium', scopes: ['read'] },
      },
    });
  });

  it('by token', async () => {
    const { authenticate } = authenticateWith('required');
    for (const scheme of ['Bearer good', 'bearer good', 'BEARER  good']) {
      expect(await authenticate(credentials(undefined, scheme))).toMatchObject({
        ok: true,
        caller: jwtCaller,
      });
    }
  });

  it.each(['required', 'anonymous'] as const)('wrong credentials are refused, AUTH_MODE=%s', async (mode) => {
    const { authenticate } = authenticateWith(mode);
    const wrong = [
      credentials(''),
      credentials('x'),
      credentials(generateApiKey().key),
      credentials('x', 'Bearer good'),
      credentials(undefined, ''),
      credentials(undefined, 'good'),
      credentials(undefined, 'Bearer'),
      credentials(undefined, 'Bearer bad'),
      credentials(undefined, 'Bearer good good'),
      credentials(undefined, 'Basic good'),
    ];
    for (const one of wrong) expect(await authenticate(one)).toMatchObject({ ok: false });
  });

  it('none are taken in anonymous mode only', async () => {
    expect(await authenticateWith('required').authenticate(credentials())).toMatchObject({ ok: false });
    expect(await authenticateWith('anonymous').authenticate(credentials())).toMatchObject({
      ok: true,
      caller: { userId: 'anonymous', isAdmin: true, via: 'anonymous' },
    });
  });

  it('asks the database for what can be a key only', async () => {
    const { authenticate, asked } = authenticateWith('required');
    await authenticate(credentials('x'.repeat(1_000_000)));
    expect(asked).toEqual([]);
    await authenticate(credentials(key));
    expect(asked).toEqual([hash]);
  });

  it.each([
    [null, true],
    [new Date('2026-01-01T00:08:59Z'), true],
    [new Date('2026-01-01T00:09:01Z'), false],
  ])('records the use afterwards, once a minute: %j', async (lastUsedAt, isRecorded) => {
    const { authenticate, used } = authenticateWith('required', lastUsedAt);
    const authenticated = await authenticate(credentials(key));
    expect(used).toEqual([]);
    if (authenticated.ok) await authenticated.afterwards?.();
    expect(used).toEqual(isRecorded ? ['k1'] : []);
  });
});
