import { setTimeout as sleep } from 'node:timers/promises';
import { openTimekeeper } from '../../functions/timekeeper/open-timekeeper.ts';
import type { Environment } from '../../shared/config/environment.ts';

/** The timekeeper's looks, in this process. @returns what stops them. */
export function startTimekeeper(environment: Environment, lookEveryMs: number): () => Promise<void> {
  const { look, close } = openTimekeeper(environment, () => {});
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      await look();
      await sleep(lookEveryMs);
    }
  })();
  return async () => {
    stopped = true;
    await looking;
    await close();
  };
}
