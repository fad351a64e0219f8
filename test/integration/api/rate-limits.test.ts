import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { generateApiKey } from '../../../shared/auth/api-key.ts';
import { openDatabase } from '../../../shared/persistence/database.ts';
import { createRateLimits, removeFullBuckets } from '../../../shared/persistence/rate-limits.ts';
import { type ApiHarness, openApiHarness } from './api-harness.ts';
import { codeOf } from './run-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const ask = (key: string, path = '/api/v1/runs') => api.send({ path, headers: { 'X-API-Key': key } });
/** Nothing is refilled until the bucket's next use, however long that takes to come. */
const setBucket = (bucket: string, tokens: number) =>
  api.engine.database.execute(
    `insert into rate_limits (bucket, tokens, refilled_at, admitted)
     values ($1, $2, clock_timestamp() + interval '10 minutes', true)
     on conflict (bucket) do update set tokens = excluded.tokens, refilled_at = excluded.refilled_at`,
    [bucket, tokens],
  );

describe('a key', () => {
  it('is told its rate on every answer, errors too', async () => {
    const { key } = await api.makeApiKey('ann', [], { tier: 'standard' });
    const paths = ['/api/v1/runs', '/api/v1/runs/none', '/api/v1/runs?limit=x'];
    for (const [place, path] of paths.entries()) {
      await setBucket('user:standard:ann', 100 - place);
      const { status, headers } = await ask(key, path);
      expect(status).toBe([200, 404, 400][place]);
      expect(headers['RateLimit-Policy']).toBe('"standard";q=100;w=60');
      expect(headers.RateLimit).toMatch(new RegExp(`^"standard";r=${99 - place};t=[123]$`));
    }
  });

  it('beyond its rate is 429 with Retry-After, and goes on when that has passed', async () => {
    const { key } = await api.makeApiKey('ann', [], { tier: 'standard' });
    await setBucket('user:standard:ann', 1.2);
    expect((await ask(key)).status).toBe(200);
    await setBucket('user:standard:ann', 0.2);
    const refused = await ask(key);
    expect(codeOf(refused)).toEqual([429, 'RATE_LIMITED']);
    expect(refused.headers).toMatchObject({
      'Retry-After': '1',
      'RateLimit-Policy': '"standard";q=100;w=60',
      RateLimit: '"standard";r=0;t=60',
    });
    await expect.poll(async () => (await ask(key)).status, { interval: 700 }).toBe(200);
  });

  it('of the tier premium has a thousand, of the tier unlimited no limit', async () => {
    const premium = await api.makeApiKey('ann', [], { tier: 'premium' });
    expect((await ask(premium.key)).headers['RateLimit-Policy']).toBe('"premium";q=1000;w=60');
    const unlimited = await api.makeApiKey('ann', [], { tier: 'unlimited' });
    expect((await ask(unlimited.key)).headers).toMatchObject({
      'RateLimit-Policy': '"unlimited";q=999999999999999;w=60',
      RateLimit: '"unlimited";r=999999999999999;t=0',
    });
    const rows = await api.engine.database.many('select from rate_limits where bucket = any($1)', [
      [`key:${unlimited.id}`, 'user:unlimited:ann'],
    ]);
    expect(rows).toEqual([]);
  });

  it('has one bucket with the other keys and tokens of its user, of its tier: more keys are no more requests', async () => {
    const [a, b] = [
      await api.makeApiKey('lou', [], { tier: 'standard' }),
      await api.makeApiKey('lou', [], { tier: 'standard' }),
    ];
    const premium = await api.makeApiKey('lou', [], { tier: 'premium' });
    const another = await api.makeApiKey('ida', [], { tier: 'standard' });
    await setBucket('user:standard:lou', 1.5);
    expect((await ask(a.key)).status).toBe(200);
    expect((await ask(b.key)).status).toBe(429);
    const made = await api.makeApiKey('lou', [], { tier: 'standard' });
    expect((await ask(made.key)).status).toBe(429);
    for (const { key } of [premium, another]) expect((await ask(key)).status).toBe(200);
  });

  it('of an admin, who makes keys without a limit, has its own', async () => {
    const [a, b] = [
      await api.makeApiKey('root', ['admin'], { tier: 'standard' }),
      await api.makeApiKey('root', ['admin'], { tier: 'standard' }),
    ];
    await setBucket(`key:${a.id}`, -5);
    expect((await ask(a.key)).status).toBe(429);
    expect((await ask(b.key)).status).toBe(200);
  });
});

it('250 at once on twenty connections: a bucket of 100 gives 100, and what refills meanwhile', async () => {
  const database = openDatabase({ url: api.databaseUrl, maxConnections: 20 });
  try {
    const limits = createRateLimits(database);
    const before = performance.now();
    const taken = await Promise.all(Array.from({ length: 250 }, () => limits.take('many', 100)));
    const refilled = ((performance.now() - before) / 1_000) * (100 / 60);
    const admitted = taken.filter((one) => one.admitted).length;
    expect(admitted).toBeGreaterThanOrEqual(100);
    expect(admitted).toBeLessThanOrEqual(100 + Math.ceil(refilled));
    expect(Math.min(...taken.map(({ tokens }) => tokens))).toBeGreaterThanOrEqual(0);
  } finally {
    await database.close();
  }
});

it('buckets that are full again are forgotten', async () => {
  await setBucket('old', 3);
  await setBucket('new', 3);
  await api.engine.database.execute(
    `update rate_limits set refilled_at = now() - interval '3 minutes' where bucket = 'old'`,
  );
  await removeFullBuckets(api.engine.database, { atMost: 100 });
  const rows = await api.engine.database.many<{ bucket: string }>(
    `select bucket from rate_limits where bucket in ('old', 'new')`,
  );
  expect(rows).toEqual([{ bucket: 'new' }]);
});

describe('failed authentications', () => {
  const sourceAddress = '198.51.100.7';
  const wrong = (headers: Record<string, string>) =>
    api.send({ path: '/api/v1/runs', headers, sourceAddress });

  it('are limited per address where the credential is the token of a callback', async () => {
    const address = '198.51.100.9';
    await setBucket(`address:${address}`, 1.1);
    const path = `/api/v1/callbacks/01933cf0-0000-7000-8000-000000000000/${'x'.repeat(43)}`;
    const call = () => api.send({ method: 'POST', path, body: {}, sourceAddress: address });
    const first = await call();
    expect(codeOf(first)).toEqual([404, 'NOT_FOUND']);
    expect(first.headers.RateLimit).toBe('"failed-authentications";r=0;t=60');
    await setBucket(`address:${address}`, 0.1);
    expect(codeOf(await call())).toEqual([429, 'RATE_LIMITED']);
  });

  it('are limited per address; right credentials, and none, are not', async () => {
    await setBucket(`address:${sourceAddress}`, 1.1);
    const key = { 'X-API-Key': generateApiKey().key };
    const first = await wrong(key);
    expect(first.status).toBe(401);
    expect(first.headers['RateLimit-Policy']).toBe('"failed-authentications";q=100;w=60');
    for (const headers of [key, { Authorization: 'Bearer x' }]) {
      await setBucket(`address:${sourceAddress}`, 0.1);
      expect(codeOf(await wrong(headers))).toEqual([429, 'RATE_LIMITED']);
    }
    expect((await wrong({})).status).toBe(401);
    const right = await api.makeApiKey('ann');
    expect((await wrong({ 'X-API-Key': right.key })).status).toBe(200);
    expect(
      (await api.send({ path: '/api/v1/runs', headers: key, sourceAddress: '198.51.100.8' })).status,
    ).toBe(401);
  });
});
