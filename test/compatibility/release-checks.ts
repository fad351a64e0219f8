import { expect } from 'vitest';
import { expectNothingLeft } from '../support/language-stack.ts';
import type { RunWorld } from '../support/run-world.ts';
import { closedCounts, wrongRunCounts } from './counts.ts';
import type { Situation } from './situations/situation.ts';
import type { Call } from './stage.ts';

/** When all runs of the world have ended: nothing waits, and counters say what happened. @param ended every run, each time anew */
export async function expectAllEnded(world: RunWorld, ended: readonly Situation[]): Promise<void> {
  await expectNothingLeft(world);
  expect(await wrongRunCounts(world)).toEqual([]);
  const closings = ended.flatMap(({ outcome, closings = [outcome.status] }) => closings);
  const counts: Record<string, number> = {};
  for (const status of closings.toSorted()) counts[status] = (counts[status] ?? 0) + 1;
  expect(await closedCounts(world)).toEqual(counts);
  expect(await world.database.many('select topic, letters from dead_letter_counts')).toEqual([]);
}

/** No attempt's agent was called twice. At-least-once is the promise; here nothing was killed. */
export function expectEachCalledOnce(calls: readonly Call[]): void {
  const ids = calls.map(({ step_execution_id: id }) => id);
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
}
