import { limits } from '../config/limits.ts';
import type { HintOf } from '../validation/nearest-name.ts';
import type { Problem } from '../validation/problem.ts';
import {
  edgesOf,
  isLost,
  type ScopeEdges,
  type ScopeGraph,
  type StepGraph,
  type StepNode,
  scopesInside,
} from './step-graph.ts';
import { reachedFrom, reversed, strongComponents } from './strong-components.ts';

/**
 * Steps that are named and not there, or stand in another scope, ids that are not their keys or not their own, loops without a way
 * out, steps that no way leads to, and what nests too deep. What may only follow from something else that is wrong is not told: a
 * step that leads nowhere may have been meant to lead to any that seems unreachable.
 */
export function findGraphProblems(graph: StepGraph, hintOf: HintOf): Problem[] {
  const nodes = graph.scopes.flatMap(({ steps }) => [...steps.values()]);
  return [
    ...nodes.flatMap((node) => idProblems(node, graph)),
    ...graph.scopes.flatMap((scope) => startProblem(scope, graph, hintOf)),
    ...nodes.flatMap((node) => exitProblems(node, graph, hintOf)),
    ...graph.scopes.flatMap(wayProblems),
    ...nodes.flatMap(nestingProblem),
    ...graph.scopes.flatMap(lengthProblem),
  ];
}

function idProblems({ id, givenId, path }: StepNode, { steps }: StepGraph): Problem[] {
  const problems: Problem[] = [];
  if (givenId !== null && givenId !== id) {
    problems.push({ path: `${path}.id`, message: `expected its key "${id}", got "${givenId}"` });
  }
  const first = steps.get(id)?.path;
  if (first !== undefined && first !== path) {
    problems.push({ path, message: `expected an id that no other step has, got "${id}", which is ${first}` });
  }
  return problems;
}

function startProblem(scope: ScopeGraph, graph: StepGraph, hintOf: HintOf): Problem[] {
  if (scope.isEmpty) return [{ path: `${scope.path}steps`, message: 'expected at least one step' }];
  if (scope.start === null || scope.steps.size === 0) return [];
  return targetProblem(`${scope.path}start_step`, 'the id of a step', scope.start, scope, graph, hintOf);
}

function exitProblems({ exits, path, scope }: StepNode, graph: StepGraph, hintOf: HintOf): Problem[] {
  return exits.flatMap(({ at, to }) => {
    const expected = at === 'next_step' ? 'the id of a step or null' : 'the id of a step';
    return to === null ? [] : targetProblem(`${path}.${at}`, expected, to, scope, graph, hintOf);
  });
}

function targetProblem(
  path: string,
  expected: string,
  to: string,
  scope: ScopeGraph,
  graph: StepGraph,
  hintOf: HintOf,
): Problem[] {
  if (scope.steps.has(to) || scope.otherIds.has(to)) return [];
  const elsewhere = graph.steps.get(to);
  if (elsewhere === undefined) {
    return [{ path, message: `expected ${expected}, got "${to}"${hintOf(to, scope.steps.keys())}` }];
  }
  const message = `expected ${expected} of the same scope, got "${to}", which is ${elsewhere.path}`;
  return [{ path, message }];
}

function wayProblems(scope: ScopeGraph): Problem[] {
  const { start } = scope;
  const edges = edgesOf(scope);
  const first = start === null ? undefined : edges.numberOf.get(start);
  if (first === undefined) return [];
  const reached = reachedFrom([first], edges.next);
  const loops = loopsWithoutWayOut(edges, reached, (node) => node.isEnd || isLost(node));
  if (loops.length > 0) return loops.map((loop) => loopProblem(loop, first, edges));
  if (edges.nodes.some(isLost)) return [];
  return firstsOf(edges, reached).map(({ path }) => ({
    path,
    message: `no way leads here from start_step "${start}"`,
  }));
}

/** The steps of each. Whatever else does not come to an end leads into one of these. */
function loopsWithoutWayOut(
  { nodes, next }: ScopeEdges,
  reached: readonly boolean[],
  isWayOut: (node: StepNode) => boolean,
): number[][] {
  const component = strongComponents(next);
  const leadsOut = reachedFrom(
    nodes.flatMap((node, i) => (isWayOut(node) ? [i] : [])),
    reversed(next),
  );
  const loops = new Map<number, number[]>();
  const left = new Set<number>();
  for (const [i, targets] of next.entries()) {
    const loop = component[i]!;
    if (!reached[i] || leadsOut[i]) continue;
    const steps = loops.get(loop);
    if (steps === undefined) loops.set(loop, [i]);
    else steps.push(i);
    if (targets.some((to) => component[to] !== loop)) left.add(loop);
  }
  return [...loops].filter(([loop]) => !left.has(loop)).map(([, steps]) => steps);
}

/** Told where the loop comes back to the step by which it is entered. */
function loopProblem(loop: readonly number[], first: number, { nodes, next, numberOf }: ScopeEdges): Problem {
  const inLoop = new Set(loop);
  const entered = new Set([first]);
  for (const [i, targets] of next.entries()) {
    if (!inLoop.has(i)) for (const to of targets) entered.add(to);
  }
  const to = loop.find((i) => entered.has(i)) ?? loop[0]!;
  const from = loop.find((i) => next[i]!.includes(to)) ?? to;
  const exit = nodes[from]!.exits.find((exit) => exit.to !== null && numberOf.get(exit.to) === to);
  const message = `expected a way to the end, but "${nodes[to]!.id}" leads back here: the workflow would never end`;
  return { path: `${nodes[from]!.path}.${exit?.at ?? 'next_step'}`, message };
}

/** Of the steps that no way leads to, those that the others follow: once a way leads to these, all are reached. */
function firstsOf({ nodes, next }: ScopeEdges, reached: readonly boolean[]): StepNode[] {
  const component = strongComponents(next);
  const following = new Set<number>();
  for (const [i, targets] of next.entries()) {
    if (reached[i]) continue;
    for (const to of targets) if (component[to] !== component[i]) following.add(component[to]!);
  }
  const told = new Set<number>();
  return nodes.filter((_, i) => {
    const own = component[i]!;
    if (reached[i] || following.has(own) || told.has(own)) return false;
    told.add(own);
    return true;
  });
}

/** Only the outermost: what is inside it is longer still. */
function lengthProblem({ container, pathLength }: ScopeGraph): Problem[] {
  const { maxScopePathLength } = limits;
  if (container === null || pathLength <= maxScopePathLength) return [];
  if (container.scope.pathLength > maxScopePathLength) return [];
  const message = `expected shorter names: those of the steps and branches down to here come to ${pathLength} characters, the limit is ${maxScopePathLength}`;
  return [{ path: container.path, message }];
}

function nestingProblem(node: StepNode): Problem[] {
  if (node.depth < limits.maxNesting || scopesInside(node).length === 0) return [];
  return [
    {
      path: node.path,
      message: `expected at most ${limits.maxNesting} parallel and map steps inside one another`,
    },
  ];
}
