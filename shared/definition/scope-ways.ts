import { type Dominates, dominatorsFrom } from './dominators.ts';
import { edgesOf, isLost, type ScopeGraph, targetsOf } from './step-graph.ts';
import { nodesOnCycles, reachedFrom, strongComponents } from './strong-components.ts';

/** What can be told of the ways through a scope, by the ids of its steps. */
export interface ScopeWays {
  /** Every step leads where it is meant to, as far as can be told. */
  readonly isWhole: boolean;
  isReached(id: string): boolean;
  /** Whether `read` has completed on every way to `id`. */
  completesBefore(read: string, id: string): boolean;
  /** False where `read` can only come after `id`. */
  mayComplete(read: string, id: string): boolean;
  /** Whether some way leads to it by a catch, as far as can be told. */
  isBehindCatch(id: string): boolean;
}

/**
 * Each step is two nodes, entered and completed: a catch leaves a step that did not complete, everything else one that did. So a
 * step has completed on every way to another if its second node dominates the other's first.
 */
export function waysThrough(scope: ScopeGraph): ScopeWays {
  const { nodes, numberOf, next } = edgesOf(scope);
  const count = nodes.length;
  const entered = (id: string) => numberOf.get(id) ?? -1;
  const halves = [
    ...nodes.map(({ exits }, i) => [count + i, ...targetsOf(exits.filter(isCatch), numberOf)]),
    ...nodes.map(({ exits }) =>
      targetsOf(
        exits.filter((exit) => !isCatch(exit)),
        numberOf,
      ),
    ),
  ];
  const start = scope.start === null ? -1 : entered(scope.start);
  const reached = reachedFrom(start === -1 ? [] : [start], next);
  const dominates: Dominates = start === -1 ? () => false : dominatorsFrom(start, halves);
  const catches = nodes.flatMap(({ exits }) => exits.filter(isCatch));
  const caught = reachedFrom(targetsOf(catches, numberOf), next);
  const isCatchLost = catches.some(({ to }) => to === null || !numberOf.has(to));
  const component = strongComponents(next);
  const onCycle = nodesOnCycles(next, component);
  return {
    isWhole: start !== -1 && !nodes.some((node) => isLost(node)),
    isReached: (id) => reached[entered(id)] === true,
    completesBefore: (read, id) => dominates(count + entered(read), entered(id)),
    mayComplete(read, id) {
      const [from, to] = [entered(read), entered(id)];
      return from === to ? onCycle[from] === true : component[from]! >= component[to]!;
    },
    isBehindCatch: (id) => isCatchLost || caught[entered(id)] === true,
  };
}

function isCatch(exit: { readonly isCatch: boolean }): boolean {
  return exit.isCatch;
}
