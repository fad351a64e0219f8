import type { HintOf } from '../validation/nearest-name.ts';
import type { Problem } from '../validation/problem.ts';
import { type StepGraph, type StepNode, walkFrom } from './step-graph.ts';

/**
 * Steps that are named and not there, ids that are not their keys, loops without a way out, and steps that no way leads to.
 * What may only follow from something else that is wrong is not told: a step that leads nowhere may have been meant to lead to
 * any that seems unreachable.
 */
export function findGraphProblems(graph: StepGraph, hintOf: HintOf): Problem[] {
  const nodes = [...graph.steps.values()];
  return [
    ...nodes.flatMap(idProblem),
    ...startProblem(graph, hintOf),
    ...nodes.flatMap((node) => nextProblem(node, graph, hintOf)),
    ...wayProblems(graph),
  ];
}

function idProblem({ id, givenId }: StepNode): Problem[] {
  if (givenId === null || givenId === id) return [];
  return [{ path: `steps.${id}.id`, message: `expected its key "${id}", got "${givenId}"` }];
}

function startProblem(graph: StepGraph, hintOf: HintOf): Problem[] {
  const { start, steps } = graph;
  if (start === null || isNamed(start, graph)) return [];
  const message = `expected the id of a step, got "${start}"${hintOf(start, steps.keys())}`;
  return [{ path: 'start_step', message }];
}

function nextProblem({ id, next }: StepNode, graph: StepGraph, hintOf: HintOf): Problem[] {
  if (next === null || next === undefined || isNamed(next, graph)) return [];
  const message = `expected the id of a step or null, got "${next}"${hintOf(next, graph.steps.keys())}`;
  return [{ path: `steps.${id}.next_step`, message }];
}

function isNamed(id: string, { steps, otherIds }: StepGraph): boolean {
  return steps.has(id) || otherIds.has(id);
}

function wayProblems(graph: StepGraph): Problem[] {
  const { start, steps } = graph;
  if (start === null) return [];
  const { places, end } = walkFrom(start, graph);
  if (typeof end === 'object') {
    const { from, to } = end.cycle;
    const message = `expected a way to the end, but "${to}" leads back here: the workflow would never end`;
    return [{ path: `steps.${from}.next_step`, message }];
  }
  const leadsAstray = ({ next }: StepNode) => next === undefined || (next !== null && !steps.has(next));
  if ([...steps.values()].some(leadsAstray) || places.size === 0) return [];
  const unreachable = [...steps.values()].filter(({ id }) => !places.has(id));
  return firstsOf(unreachable).map(({ id }) => ({
    path: `steps.${id}`,
    message: `no way leads here from start_step "${start}"`,
  }));
}

/** Those that the others follow: once a way leads to these, all are reached. */
function firstsOf(unreachable: readonly StepNode[]): StepNode[] {
  const nodes = new Map(unreachable.map((node) => [node.id, node]));
  const followers = new Set(unreachable.map(({ next }) => next));
  const firsts = unreachable.filter(({ id }) => !followers.has(id));
  const reached = new Set<string>();
  const reach = (first: StepNode) => {
    for (let node: StepNode | undefined = first; node && !reached.has(node.id); ) {
      reached.add(node.id);
      node = nodes.get(node.next ?? '');
    }
  };
  firsts.forEach(reach);
  // What is left goes round in circles: one of each.
  for (const node of unreachable) {
    if (reached.has(node.id)) continue;
    firsts.push(node);
    reach(node);
  }
  return firsts;
}
