import { describe, expect, it } from 'vitest';
import { type Starting, secondsOf, untilStarted } from '../../../localstack/until-started.ts';

const patience = { lookEveryMs: 1, tellEveryMs: 5, stalledAfterMs: 30, atMostMs: 60_000 };

function starting(more: Partial<Starting>): { readonly told: string[]; readonly server: Starting } {
  const told: string[] = [];
  const server = {
    name: 'Kafka',
    waitsUntil: 'it answers',
    isReady: async () => false,
    hasExited: () => false,
    progress: async () => 0,
    tell: (line: string) => void told.push(line),
    ...more,
  };
  return { told, server };
}

/** One more each time that it is asked. */
const counting = () => {
  let count = 0;
  return () => ++count;
};

describe('a server that starts', () => {
  it('is waited for as long as it gets on, and people are told', async () => {
    const begun = performance.now();
    const progress = counting();
    const { told, server } = starting({
      // Three times what it may do nothing for.
      isReady: async () => performance.now() - begun > 90,
      progress: async () => progress(),
      lastWords: () => 'recovering',
    });
    expect(await untilStarted(server, patience)).toEqual({ ready: true });
    expect(told.length).toBeGreaterThan(1);
    expect(told[0]).toBe('Kafka is still starting after 0 s: waits until it answers; it says: recovering');
  });

  it('is given up when it does nothing, with what was waited for', async () => {
    expect(await untilStarted(starting({}).server, patience)).toEqual({
      ready: false,
      hasExited: false,
      reason: 'it did nothing for 0 s, while one waits until it answers',
    });
  });

  it('is given up in the end, whatever it makes of its time', async () => {
    const progress = counting();
    const { server } = starting({ progress: async () => progress() });
    expect(await untilStarted(server, { ...patience, atMostMs: 20 })).toEqual({
      ready: false,
      hasExited: false,
      reason: '0 s were not enough until it answers',
    });
  });

  it('is not waited for when it has ended', async () => {
    const { told, server } = starting({ hasExited: () => true });
    expect(await untilStarted(server, patience)).toEqual({
      ready: false,
      hasExited: true,
      reason: 'it has ended',
    });
    expect(told).toEqual([]);
  });
});

it.each([
  ['00:01:02\n', 62],
  ['1-00:00:05', 86_405],
  ['  1:02.34', 62],
  ['', 0],
])('%j of processor time are %i s', (text, seconds) => {
  expect(secondsOf(text)).toBe(seconds);
});
