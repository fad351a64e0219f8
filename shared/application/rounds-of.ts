import { mustComeFirst } from '../engine/decide.ts';
import type { BatchItem } from './batch.ts';

/** A batch in as many transactions as it needs, nearly always one: cut before an event that must come first of its run. */
export function roundsOf(items: readonly BatchItem[]): BatchItem[][] {
  const rounds: BatchItem[][] = [];
  let runs = new Set<string>();
  for (const item of items) {
    if (rounds.length === 0 || (mustComeFirst(item.event) && runs.has(item.runId))) {
      rounds.push([]);
      runs = new Set();
    }
    rounds.at(-1)?.push(item);
    runs.add(item.runId);
  }
  return rounds;
}
