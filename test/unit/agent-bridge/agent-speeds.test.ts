import { describe, expect, it } from 'vitest';
import { AgentSpeeds, hashOf } from '../../../shared/agent-bridge/agent-speeds.ts';

const agent = { name: 'a', owner: 'ann', address: 'https://a' };

function setUp() {
  const time = { now: 1_000_000 };
  const speeds = new AgentSpeeds(() => time.now);
  return { time, speeds };
}

const stored = (averageMs: number, ageMs = 0) => ({ addressHash: hashOf(agent.address), averageMs, ageMs });

describe('an agent', () => {
  it('is not quick until somebody has measured it', () => {
    const { speeds } = setUp();
    expect(speeds.isQuick(agent)).toBe(false);
    speeds.record(agent, 1_000);
    expect(speeds.isQuick(agent)).toBe(true);
    for (const other of [{ name: 'b' }, { owner: null }, { address: 'https://b' }])
      expect(speeds.isQuick({ ...agent, ...other })).toBe(false);
  });

  it('is remembered among many others as long as it is called', () => {
    const { speeds } = setUp();
    speeds.record(agent, 100);
    for (let i = 0; i < 2_000; i++) {
      speeds.record({ ...agent, name: `other-${i}` }, 100);
      expect(speeds.isQuick(agent)).toBe(true);
    }
    expect(speeds.isQuick({ ...agent, name: 'other-0' })).toBe(false);
  });

  it('becomes slow by a few slow calls, and quick again by many quick ones', () => {
    const { speeds } = setUp();
    const callsUntil = (isQuick: boolean, durationMs: number) => {
      let calls = 0;
      while (speeds.isQuick(agent) !== isQuick) {
        speeds.record(agent, durationMs);
        calls++;
      }
      return calls;
    };
    speeds.record(agent, 100);
    expect(callsUntil(false, 3_000)).toBe(2);
    expect(callsUntil(true, 100)).toBe(5);
    expect(callsUntil(false, 25_000)).toBe(1);
    expect(callsUntil(true, 100)).toBe(21);
  });

  it('whose call was given up is slow at once', () => {
    const { speeds } = setUp();
    speeds.record(agent, 10);
    speeds.record(agent, 3_000, { isGivenUp: true });
    expect(speeds.isQuick(agent)).toBe(false);
  });

  it('has patience for ten times what it takes, from three seconds to ten', () => {
    const { speeds } = setUp();
    const patienceOf = (averageMs: number) => {
      const one = { ...agent, name: `${averageMs}` };
      speeds.record(one, averageMs);
      return speeds.patienceMs(one);
    };
    expect([1, 300, 500, 900, 1_000].map(patienceOf)).toEqual([3_000, 3_000, 5_000, 9_000, 10_000]);
  });
});

describe('what the database says', () => {
  it('counts where it is newer than what was measured here', () => {
    const { time, speeds } = setUp();
    speeds.learn(agent, stored(5_000));
    expect(speeds.isQuick(agent)).toBe(false);
    time.now += 10_000;
    speeds.learn(agent, stored(50, 20_000));
    expect(speeds.isQuick(agent)).toBe(false);
    speeds.learn(agent, stored(50, 5_000));
    expect(speeds.isQuick(agent)).toBe(true);
  });
});

describe('what is told to the others', () => {
  it('is what nobody knows, what is another than they believe, and once a minute how it is', () => {
    const { time, speeds } = setUp();
    const told = (durationMs: number) => speeds.record(agent, durationMs)?.averageMs ?? null;
    expect(told(100)).toBe(100);
    expect(told(100)).toBeNull();
    expect(told(10_000)).toBe(3_070);
    expect(told(10_000)).toBeNull();
    time.now += 60_000;
    expect(told(10_000)).not.toBeNull();
  });

  it('is what is more than twice as much as they believe, or less than half, in milliseconds that matter', () => {
    const { speeds } = setUp();
    const told = (durationMs: number) => speeds.record(agent, durationMs)?.averageMs ?? null;
    expect([told(100), told(400), told(400), told(400)]).toEqual([100, null, 253, null]);
    const later = Array.from({ length: 60 }, () => told(1)).filter((averageMs) => averageMs !== null);
    expect(later).toEqual([116, 56, 27]);
    expect(speeds.answersWithin(agent, 10)).toBe(true);
  });

  it('is not what another has told within the minute', () => {
    const { time, speeds } = setUp();
    speeds.learn(agent, stored(100, 30_000));
    expect(speeds.record(agent, 100)).toBeNull();
    time.now += 30_000;
    expect(speeds.record(agent, 100)).toEqual({
      name: 'a',
      owner: 'ann',
      addressHash: hashOf(agent.address),
      averageMs: 100,
    });
  });
});
