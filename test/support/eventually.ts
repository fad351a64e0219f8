import { setTimeout as sleep } from 'node:timers/promises';

/** Far beyond what a busy machine needs: what never comes fails all the same, only later. */
const PATIENCE_MS = 60_000;

/** Looks again and again until there is something to see, and gives it back. Fails with what was last seen. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  isSeen: (seen: T) => boolean,
  withinMs = PATIENCE_MS,
): Promise<T> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (isSeen(seen)) return seen;
    if (performance.now() > giveUpAt)
      throw new Error(`${what}: not within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`);
    await sleep(20);
  }
}
