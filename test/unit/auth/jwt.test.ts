import { createHmac, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { createJwtVerifier } from '../../../shared/auth/jwt.ts';

const SECRET = 'a secret with ä, as UTF-8';
const now = new Date('2026-01-01T00:00:00Z');
const seconds = now.getTime() / 1_000;
const bySecret = { secret: SECRET, jwksUrl: null, issuer: null, audience: [] };
const verify = createJwtVerifier(bySecret, () => now);

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** By hand, so that tokens can be wrong in any way. */
function token(
  claims: unknown,
  { header = { alg: 'HS256' } as unknown, secret = SECRET as string | Buffer, hash = 'sha256' } = {},
) {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}
const good = { sub: 'ann', exp: seconds + 60 };

describe('a JWT', () => {
  it('gives the caller', async () => {
    const claims = { ...good, communities: [1, 2], roles: ['editor', 'admin'] };
    expect(await verify(token(claims))).toEqual({
      userId: 'ann',
      isAdmin: true,
      communities: [1, 2],
      via: 'jwt',
      key: null,
    });
    expect(await verify(token(good))).toEqual({
      userId: 'ann',
      isAdmin: false,
      communities: [],
      via: 'jwt',
      key: null,
    });
  });

  it.each([
    ['admin', 'token:admin'],
    ['anonymous', 'token:anonymous'],
    ['key:ci', 'token:key:ci'],
    ['token:admin', 'token:token:admin'],
    ['Admin', 'Admin'],
    ['keyholder', 'keyholder'],
  ])('of "%s" is "%s", so that nobody is whom the deployment or its keys name', async (sub, userId) => {
    expect(await verify(token({ ...good, sub }))).toMatchObject({ userId, isAdmin: false });
    const asAdmin = await verify(token({ ...good, sub, roles: ['admin'] }));
    expect(asAdmin).toMatchObject({ userId: sub, isAdmin: true });
  });

  it('made by a library is taken', async () => {
    const key = new TextEncoder().encode(SECRET);
    const made = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('ann')
      .setExpirationTime(seconds + 60)
      .sign(key);
    expect((await verify(made))?.userId).toBe('ann');
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  it.each<[what: string, jwt: string]>([
    ['expired', token({ ...good, exp: seconds - 10 })],
    ['without exp', token({ sub: 'ann' })],
    ['with exp as text', token({ ...good, exp: 'tomorrow' })],
    ['not valid yet', token({ ...good, nbf: seconds + 60 })],
    ['without sub', token({ exp: good.exp })],
    ['with an empty sub', token({ ...good, sub: ' ' })],
    ['with a number for sub', token({ ...good, sub: 7 })],
    ['with a sub that no column holds', token({ ...good, sub: 'a\u0000b' })],
    ['with an endless sub', token({ ...good, sub: 'x'.repeat(256) })],
    ['with a sub that its own name makes endless', token({ ...good, sub: `key:${'x'.repeat(251)}` })],
    ['with communities that are none', token({ ...good, communities: ['1'] })],
    ['with one community', token({ ...good, communities: 1 })],
    ['with roles as text', token({ ...good, roles: 'admin' })],
    ['with null for roles', token({ ...good, roles: null })],
    ['signed with another secret', token(good, { secret: 'another' })],
    ['signed with no secret', token(good, { secret: '' })],
    ['without signature', `${encode({ alg: 'none' })}.${encode(good)}.`],
    ['signed, but alg none', token(good, { header: { alg: 'none' } })],
    ['alg nOnE', `${encode({ alg: 'nOnE' })}.${encode(good)}.`],
    ['HS512', token(good, { header: { alg: 'HS512' }, hash: 'sha512' })],
    ['RS256 over the secret', token(good, { header: { alg: 'RS256' } })],
    ['HS256 over a public key', token(good, { secret: pem })],
    ['without alg', token(good, { header: {} })],
    ['with an unknown critical header', token(good, { header: { alg: 'HS256', crit: ['x'], x: 1 } })],
    ['claims that are no object', token(['ann'])],
    ['nonsense', 'a.b.c'],
    ['two parts', 'a.b'],
    ['nothing', ''],
  ])('%s is refused', async (_what, jwt) => {
    expect(await verify(jwt)).toBeNull();
  });

  it('signed by RS256 is refused', async () => {
    const made = await new SignJWT({})
      .setProtectedHeader({ alg: 'RS256' })
      .setSubject('ann')
      .setExpirationTime(seconds + 60)
      .sign(privateKey);
    expect(await verify(made)).toBeNull();
  });

  it('is checked for its issuer and audience where they are set', async () => {
    const issuer = 'https://id.example.com';
    const strict = createJwtVerifier({ ...bySecret, issuer, audience: ['stepline', 'other'] }, () => now);
    expect(await strict(token({ ...good, iss: issuer, aud: 'stepline' }))).not.toBeNull();
    expect(await strict(token({ ...good, iss: issuer, aud: ['x', 'other'] }))).not.toBeNull();
    for (const claims of [
      {},
      { iss: issuer },
      { aud: 'stepline' },
      { iss: `${issuer}/`, aud: 'stepline' },
      { iss: issuer, aud: 'x' },
    ]) {
      expect(await strict(token({ ...good, ...claims }))).toBeNull();
    }
  });

  it('is never taken where no secret is set', async () => {
    expect(await createJwtVerifier({ ...bySecret, secret: null })(token(good))).toBeNull();
  });
});
