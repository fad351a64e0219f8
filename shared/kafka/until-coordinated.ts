import { setTimeout as sleep } from 'node:timers/promises';

const ASK_EVERY_MS = 100;

/**
 * Asks until a group's coordinator is ready: it may be starting, or moving, or load a group that nobody has used for a while, which
 * kafkajs takes for a failure at once.
 * @param giveUpAt as `performance.now()` counts
 * @throws what `ask` throws when that is no passing state, or it is still so at `giveUpAt`
 */
export async function untilCoordinated<T>(giveUpAt: number, ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isPassing = error instanceof Error && 'retriable' in error && error.retriable === true;
      if (!isPassing || performance.now() + ASK_EVERY_MS > giveUpAt) throw error;
      await sleep(ASK_EVERY_MS);
    }
  }
}
