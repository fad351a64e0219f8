import type { HintOf } from '../validation/nearest-name.ts';
import type { Problem } from '../validation/problem.ts';
import { compileMapping } from './expression.ts';
import { type StepGraph, type StepNode, type Walk, walkFrom } from './step-graph.ts';

/** Mappings with paths that do not parse, and those that read what cannot be there yet. */
export function findMappingProblems(graph: StepGraph, hintOf: HintOf): Problem[] {
  const walk = graph.start === null ? null : walkFrom(graph.start, graph);
  return [...graph.steps.values()].flatMap((node) => {
    const problems: Problem[] = [];
    if (node.mapping === null) return problems;
    const base = `steps.${node.id}.input_mapping`;
    compileMapping(node.mapping, {
      onProblem: (path, message) => problems.push({ path: `${base}.${path}`, message }),
      onStepRead: (path, read) => {
        const message = readProblem(node, read, { graph, walk, hintOf });
        if (message !== null) problems.push({ path: `${base}.${path}`, message });
      },
    });
    return problems;
  });
}

interface Judged {
  readonly graph: StepGraph;
  readonly walk: Walk | null;
  readonly hintOf: HintOf;
}

function readProblem({ id }: StepNode, read: string, { graph, walk, hintOf }: Judged): string | null {
  const expected = `expected a step that completes before "${id}", got "${read}"`;
  if (graph.steps.has(read)) return cannotPrecede(read, id, walk) ? expected : null;
  if (graph.otherIds.has(read)) return null;
  return `${expected}, which is no step of this workflow${hintOf(read, graph.steps.keys())}`;
}

/** False where it cannot be told: a step without a place has something else that is wrong. */
function cannotPrecede(read: string, id: string, walk: Walk | null): boolean {
  if (read === id) return true;
  const place = walk?.places.get(id);
  if (walk === null || place === undefined) return false;
  const placeOfRead = walk.places.get(read);
  // The way to this step is known, and the other is not on it; where the walk came to its end, no way leads there, which is told.
  return placeOfRead === undefined ? walk.end !== 'end' : placeOfRead >= place;
}
