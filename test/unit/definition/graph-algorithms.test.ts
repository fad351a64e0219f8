import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dominatorsFrom } from '../../../shared/definition/dominators.ts';
import {
  nodesOnCycles,
  reachedFrom,
  reversed,
  strongComponents,
} from '../../../shared/definition/strong-components.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

const graph = fc.integer({ min: 1, max: 9 }).chain((size) =>
  fc.array(fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { maxLength: 3 }), {
    minLength: size,
    maxLength: size,
  }),
);
const nodesOf = (next: readonly unknown[]) => [...next.keys()];
/** Without one node. */
const without = (next: readonly (readonly number[])[], left: number) =>
  next.map((edges, node) => (node === left ? [] : edges.filter((to) => to !== left)));

describe('on any graph', () => {
  it('strong components are those that lead to one another, in their order', () => {
    fc.assert(
      fc.property(graph, (next) => {
        const component = strongComponents(next);
        const leads = nodesOf(next).map((node) => reachedFrom([node], next));
        for (const a of nodesOf(next)) {
          for (const b of nodesOf(next)) {
            expect(component[a] === component[b]).toBe(leads[a]![b]! && leads[b]![a]!);
          }
          for (const to of next[a]!) expect(component[a]).toBeGreaterThanOrEqual(component[to]!);
          const comesBack = next[a]!.some((to) => leads[to]![a]);
          expect(nodesOnCycles(next)[a]).toBe(comesBack);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('a node dominates what no way leads to without it', () => {
    fc.assert(
      fc.property(graph, (next) => {
        const dominates = dominatorsFrom(0, next);
        const reached = reachedFrom([0], next);
        for (const a of nodesOf(next)) {
          const reachedWithout = a === 0 ? next.map(() => false) : reachedFrom([0], without(next, a));
          for (const b of nodesOf(next)) {
            expect(dominates(a, b)).toBe(reached[a]! && reached[b]! && (a === b || !reachedWithout[b]));
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('edges lead back the other way', () => {
    expect(reversed([[1, 2], [2], []])).toEqual([[], [0], [0, 1]]);
  });
});

it('a chain and a ladder of 100,000 nodes cost no time that could be felt, and no stack', () => {
  const size = 100_000;
  const ladder = Array.from({ length: size }, (_, i) =>
    [i + 1, i + 2, Math.max(0, i - 2)].filter((to) => to < size),
  );
  const ms = cpuMsOf(() => {
    expect(new Set(strongComponents(ladder)).size).toBe(1);
    const dominates = dominatorsFrom(0, ladder);
    expect(dominates(0, size - 1)).toBe(true);
    expect(dominates(1, size - 1)).toBe(false);
  });
  expect(ms).toBeLessThan(10_000);
});
