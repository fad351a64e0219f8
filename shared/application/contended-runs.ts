import { LRUCache } from 'lru-cache';
import type { BatchItem } from './batch.ts';

const MAX_RUNS = 1_000;
/** Batches of a run that are decided under its lock before it is tried without again. */
const BATCHES_LOCKED = 16;

/**
 * Runs that another environment decides about at the same time, as of a wide fan-out, whose requests and answers come by two topics.
 * What loses such a race was read and decided for nothing.
 */
export class ContendedRuns {
  readonly #left = new LRUCache<string, number>({ max: MAX_RUNS });

  add(runIds: readonly string[]): void {
    for (const runId of runIds) this.#left.set(runId, BATCHES_LOCKED);
  }

  /** Of the batch's runs; it counts as one of each. */
  take(items: readonly BatchItem[]): ReadonlySet<string> {
    const contended = new Set<string>();
    if (this.#left.size === 0) return contended;
    for (const { runId } of items) {
      const left = this.#left.get(runId);
      if (left === undefined || contended.has(runId)) continue;
      contended.add(runId);
      if (left > 1) this.#left.set(runId, left - 1);
      else this.#left.delete(runId);
    }
    return contended;
  }
}
