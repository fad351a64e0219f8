import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublishedEntries } from '../../../shared/persistence/published-entries.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const removed: string[][] = [];
  let isAway = false;
  const entries = new PublishedEntries(async (ids) => {
    if (isAway) throw new Error('away');
    removed.push([...ids]);
  });
  /** @returns what went with it */
  const save = () => entries.goWith(async (ids) => [...ids]);
  const beBusy = async () => {
    await save();
    await save();
  };
  const away = (is: boolean) => {
    isAway = is;
  };
  return { entries, removed, save, beBusy, away };
}

describe('published entries', () => {
  it('go with the next save of an environment that saves often', async () => {
    const { entries, removed, save, beBusy } = setUp();
    await beBusy();
    await entries.add(['a']);
    await entries.add(['b', 'a']);
    expect(await save()).toEqual(['a', 'b']);
    expect(await save()).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(removed).toEqual([]);
  });

  it('are removed at once in an environment that saves seldom, which may be frozen next', async () => {
    const { entries, removed, save } = setUp();
    await entries.add(['a']);
    await save();
    await entries.add(['b']);
    await vi.advanceTimersByTimeAsync(60_000);
    await save();
    await entries.add(['c']);
    expect(removed).toEqual([['a'], ['b'], ['c']]);
  });

  it('are removed for themselves where nothing is saved any more', async () => {
    const { entries, removed, beBusy } = setUp();
    await beBusy();
    await entries.add(['a']);
    expect(removed).toEqual([]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(removed).toEqual([['a']]);
  });

  it('are removed where nothing is known to follow, unless the environment saves all the time', async () => {
    const { entries, removed, save, beBusy } = setUp();
    await entries.rest();
    await beBusy();
    await entries.add(['a']);
    await entries.rest();
    expect(removed).toEqual([['a']]);
    for (let saves = 0; saves < 20; saves++) await save();
    await entries.add(['b']);
    await entries.rest();
    expect(removed).toEqual([['a']]);
    expect(await save()).toEqual(['b']);
    // Not so often any more.
    await vi.advanceTimersByTimeAsync(2_900);
    await save();
    await vi.advanceTimersByTimeAsync(200);
    await entries.add(['c']);
    await entries.rest();
    expect(removed).toEqual([['a'], ['c']]);
  });

  it('that cannot be removed where nothing follows are a duplicate, and no failure', async () => {
    const { entries, removed, beBusy, away } = setUp();
    await beBusy();
    await entries.add(['a']);
    away(true);
    await entries.rest();
    away(false);
    await entries.rest();
    expect(removed).toEqual([['a']]);
  });

  it('that could not be removed go the next time', async () => {
    const { entries, removed, beBusy, away } = setUp();
    await beBusy();
    await entries.add(['a']);
    const refused = entries.goWith(() => Promise.reject(new Error('refused')));
    await expect(refused).rejects.toThrow('refused');
    away(true);
    await vi.advanceTimersByTimeAsync(3_000);
    await expect(entries.flush()).rejects.toThrow('away');
    away(false);
    await entries.flush();
    expect(removed).toEqual([['a']]);
    await entries.flush();
    expect(removed).toHaveLength(1);
  });
});
