import type { RunStore } from '../../shared/application/ports/run-store.ts';

/**
 * A store between whose calls others do what they do: nothing is held while a decision is made, but under a lock. Calls come one after
 * the other, so that what happens between two of them belongs to their invocation.
 */
export function interleaved(store: RunStore, others: () => Promise<void>): RunStore {
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Result>(call: () => Promise<Result>): Promise<Result> => {
    const result = last.then(call);
    last = result.catch(() => {});
    return result;
  };
  const after =
    <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    (...args: Args) =>
      inTurn(async () => {
        await others();
        return call(...args);
      });
  return {
    loadRuns: (query) => inTurn(() => store.loadRuns(query)),
    loadAttempts: after(store.loadAttempts),
    loadJoins: after(store.loadJoins),
    loadData: after(store.loadData),
    loadCompletedSteps: after(store.loadCompletedSteps),
    loadVersions: after(store.loadVersions),
    storeInlinePlans: after(store.storeInlinePlans),
    save: after(store.save),
    underLock: (runIds, work) => inTurn(() => store.underLock(runIds, work)),
  };
}
