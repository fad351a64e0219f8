import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createJwtVerifier, type VerifyJwt } from '../../../shared/auth/jwt.ts';

const SECRET = 'a secret of the tests';
const algorithms = ['RS256', 'ES256', 'EdDSA'] as const;
const keys = new Map<string, { privateKey: CryptoKey; publicKey: CryptoKey }>();
const served: object[] = [];
let asked = 0;
let isBroken = false;
const server = createServer((_request, response) => {
  asked++;
  if (isBroken) response.statusCode = 500;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ keys: served }));
});
let verify: VerifyJwt;
const newVerifier = (secret: string | null = null) => {
  const { port } = server.address() as AddressInfo;
  const jwksUrl = `http://127.0.0.1:${port}/jwks.json`;
  return createJwtVerifier({ secret, jwksUrl, issuer: null, audience: [] });
};

beforeAll(async () => {
  for (const alg of [...algorithms, 'RS384']) {
    const pair = await generateKeyPair(alg, { extractable: true });
    keys.set(alg, pair);
    // Without `alg`: the set does not say what a key is for, our list does.
    served.push({ ...(await exportJWK(pair.publicKey)), kid: alg });
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  verify = newVerifier();
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const sign = (alg: string, kid = alg, key = keys.get(alg)!.privateKey) =>
  new SignJWT({ roles: ['admin'], communities: [3] })
    .setProtectedHeader({ alg, kid })
    .setSubject('ann')
    .setExpirationTime('1h')
    .sign(key);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What an attacker has: the public key, as text. */
function hmacOver(secret: string, kid: string): string {
  const exp = Math.floor(Date.now() / 1_000) + 600;
  const signed = `${encode({ alg: 'HS256', kid })}.${encode({ sub: 'ann', exp })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

describe('a token by a key of JWT_JWKS_URL', () => {
  it.each(algorithms)('signed by %s is taken', async (alg) => {
    expect(await verify(await sign(alg))).toEqual({
      userId: 'ann',
      isAdmin: true,
      communities: [3],
      via: 'jwt',
      key: null,
    });
  });

  it('costs one request for the keys, however many tokens', async () => {
    const fresh = newVerifier();
    const before = asked;
    for (const alg of algorithms) await fresh(await sign(alg));
    expect(asked - before).toBe(1);
  });

  it('is refused where it is by another key, of another kind, unknown, or by another algorithm', async () => {
    const another = await generateKeyPair('RS256');
    expect(await verify(await sign('RS256', 'RS256', another.privateKey))).toBeNull();
    expect(await verify(await sign('RS256', 'ES256'))).toBeNull();
    expect(await verify(await sign('RS256', 'unknown'))).toBeNull();
    expect(await verify(await sign('RS384'))).toBeNull();
    expect(
      await verify(`${encode({ alg: 'none', kid: 'RS256' })}.${encode({ sub: 'ann', exp: 9e9 })}.`),
    ).toBeNull();
  });

  it('is refused where a public key was used as the secret of HS256, a secret being set or not', async () => {
    const pem = await exportSPKI(keys.get('RS256')!.publicKey);
    const jwk = JSON.stringify(served[0]);
    for (const verifier of [verify, newVerifier(SECRET)]) {
      for (const text of [pem, pem.trim(), jwk]) expect(await verifier(hmacOver(text, 'RS256'))).toBeNull();
    }
    expect(await newVerifier(SECRET)(hmacOver(SECRET, 'RS256'))).not.toBeNull();
    expect(await verify(hmacOver(SECRET, 'RS256'))).toBeNull();
  });

  it('is taken or refused as the set now has it, half a minute after the last look at the latest', async () => {
    const [old, made] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')];
    const [before, after] = [
      { ...(await exportJWK(old.publicKey)), kid: 'old' },
      { ...(await exportJWK(made.publicKey)), kid: 'new' },
    ];
    const tokenOfOld = await sign('ES256', 'old', old.privateKey);
    const tokenOfNew = await sign('ES256', 'new', made.privateKey);
    const verifier = newVerifier();
    const start = Date.now();
    served.push(before);
    vi.useFakeTimers({ toFake: ['Date'], now: start });
    try {
      expect(await verifier(tokenOfOld)).not.toBeNull();
      served.splice(served.indexOf(before), 1, after);
      const looks = asked;
      // However many tokens of unknown keys come, the set is not asked for each.
      expect(await verifier(tokenOfNew)).toBeNull();
      expect(asked).toBe(looks);
      vi.setSystemTime(start + 31_000);
      expect(await verifier(tokenOfNew)).not.toBeNull();
      expect(await verifier(tokenOfOld)).toBeNull();
      expect(asked).toBe(looks + 1);
    } finally {
      vi.useRealTimers();
      served.splice(served.indexOf(after), 1);
    }
  });

  it('cannot be judged while the keys cannot be read', async () => {
    const token = await sign('RS256');
    isBroken = true;
    await expect(newVerifier()(token)).rejects.toMatchObject({ code: 'JWKS_UNAVAILABLE' });
    isBroken = false;
    const nowhere = { secret: null, jwksUrl: 'http://127.0.0.1:1/', issuer: null, audience: [] };
    await expect(createJwtVerifier(nowhere)(token)).rejects.toMatchObject({ code: 'JWKS_UNAVAILABLE' });
  });
});
