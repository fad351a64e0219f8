import { describe, expect, it } from 'vitest';
import { anonymousCaller, type Caller } from '../../../shared/auth/caller.ts';
import { createRateLimiter } from '../../../shared/auth/rate-limiter.ts';
import type { Tier } from '../../../shared/config/rate-limits.ts';

const byKey = (tier: Tier): Caller => ({
  userId: 'ann',
  isAdmin: false,
  communities: [],
  via: 'api_key',
  key: { id: 'k1', tier, scopes: [] },
});
const byJwt: Caller = { userId: 'ann', isAdmin: false, communities: [], via: 'jwt', key: null };

/** Limits that answer what they are told. */
function setUp({ jwtTier = 'unlimited' as Tier, tokens = 99, admitted = true } = {}) {
  const asked: [string, number][] = [];
  const clock = { ms: 0 };
  const answer = { tokens, admitted };
  const limiter = createRateLimiter({
    jwtTier,
    nowMs: () => clock.ms,
    limits: {
      async take(bucket, capacity) {
        asked.push([bucket, capacity]);
        return { ...answer };
      },
    },
  });
  return { limiter, asked, clock, answer };
}

describe('a caller’s bucket', () => {
  it.each<[caller: Caller, jwtTier: Tier, asked: [string, number][]]>([
    [byKey('standard'), 'unlimited', [['user:standard:ann', 100]]],
    [byKey('premium'), 'unlimited', [['user:premium:ann', 1_000]]],
    [{ ...byKey('standard'), isAdmin: true }, 'unlimited', [['key:k1', 100]]],
    [byKey('unlimited'), 'standard', []],
    [byJwt, 'unlimited', []],
    [byJwt, 'standard', [['user:standard:ann', 100]]],
    [{ ...byJwt, isAdmin: true }, 'standard', [['user:standard:ann', 100]]],
    [anonymousCaller, 'standard', []],
  ])('%j with JWTs %s: %j', async (caller, jwtTier, expected) => {
    const { limiter, asked } = setUp({ jwtTier });
    const state = await limiter.admit(caller);
    expect(asked).toEqual(expected);
    expect(state.capacity === null).toBe(expected.length === 0);
  });

  it('tells what is left, and when it is full again', async () => {
    const { limiter } = setUp({ tokens: 49.5 });
    expect(await limiter.admit(byKey('standard'))).toEqual({
      policy: 'standard',
      capacity: 100,
      remaining: 49,
      resetSeconds: 31,
      retryAfterSeconds: null,
    });
  });

  it('once empty is not asked again before it has a token', async () => {
    const { limiter, asked, clock, answer } = setUp({ tokens: 0, admitted: false });
    expect(await limiter.admit(byKey('standard'))).toMatchObject({ remaining: 0, retryAfterSeconds: 1 });
    clock.ms = 599;
    expect(await limiter.admit(byKey('standard'))).toMatchObject({ remaining: 0, retryAfterSeconds: 1 });
    expect(asked).toHaveLength(1);
    clock.ms = 601;
    answer.admitted = true;
    expect(await limiter.admit(byKey('standard'))).toMatchObject({ retryAfterSeconds: null });
    expect(asked).toHaveLength(2);
  });
});

describe('failed authentications', () => {
  it.each([
    ['192.0.2.1', 'address:192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', 'address:2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', 'address:2001:db8:1:2::/64'],
    ['2001:0db8::1', 'address:2001:db8:0:0::/64'],
    ['::1', 'address:0:0:0:0::/64'],
    ['fe80::1%eth0', 'address:fe80:0:0:0::/64'],
    ['unknown', 'address:unknown'],
  ])('from %s count for %s', async (address, bucket) => {
    const { limiter, asked } = setUp();
    await limiter.admitFailure(address);
    expect(asked).toEqual([[bucket, 100]]);
  });
});

describe('an address whose credentials nobody has looked at', () => {
  const stateIn = ({ limiter }: ReturnType<typeof setUp>, address = '192.0.2.1') => {
    const { policy, capacity, remaining, resetSeconds, retryAfterSeconds } = limiter.stateOfAddress(address);
    expect([policy, capacity, retryAfterSeconds]).toEqual(['failed-authentications', 100, null]);
    return { remaining, resetSeconds };
  };

  it('stands where its failures left it, as far as is known here, and costs no statement', async () => {
    const world = setUp({ tokens: 40 });
    expect(stateIn(world)).toEqual({ remaining: 100, resetSeconds: 0 });
    await world.limiter.admitFailure('192.0.2.1');
    expect(stateIn(world)).toEqual({ remaining: 40, resetSeconds: 36 });
    expect(stateIn(world, '192.0.2.2')).toEqual({ remaining: 100, resetSeconds: 0 });
    world.clock.ms = 30_000;
    expect(stateIn(world)).toEqual({ remaining: 90, resetSeconds: 6 });
    world.clock.ms = 300_000;
    expect(stateIn(world)).toEqual({ remaining: 100, resetSeconds: 0 });
    expect(world.asked).toHaveLength(1);
  });
});
