import type { HintOf } from '../validation/nearest-name.ts';
import type { Problem } from '../validation/problem.ts';
import { createExpressionCompiler } from './expression.ts';
import type { Source } from './reads.ts';
import { type ScopeWays, waysThrough } from './scope-ways.ts';
import type { ScopeGraph, StepGraph, StepNode } from './step-graph.ts';
import { type ExpressionFinder, expressionsIn } from './step-type.ts';

/** Expressions with paths that do not parse, and those that read what cannot be there when they are evaluated. */
export function findMappingProblems(
  graph: StepGraph,
  expressionsOf: (type: unknown) => ExpressionFinder,
  hintOf: HintOf,
): Problem[] {
  const ways = new Map(graph.scopes.map((scope) => [scope, waysThrough(scope)]));
  const judged: Judged = { graph, ways, hintOf };
  return graph.scopes.flatMap(({ steps }) =>
    [...steps.values()].flatMap((node) => problemsIn(node, expressionsOf(node.given.type), judged)),
  );
}

interface Judged {
  readonly graph: StepGraph;
  readonly ways: ReadonlyMap<ScopeGraph, ScopeWays>;
  readonly hintOf: HintOf;
}

/** Where something is read. */
interface Reader {
  readonly node: StepNode;
  /** A condition may ask whether there is anything. */
  readonly isCondition: boolean;
  /** It is evaluated when the step has come to something. */
  readonly isSettling: boolean;
}

const settlingExpressions = expressionsIn('output_mapping', 'assign');

function problemsIn(node: StepNode, enteringExpressions: ExpressionFinder, judged: Judged): Problem[] {
  const problems: Problem[] = [];
  const tell = (at: string, message: string) => problems.push({ path: `${node.path}.${at}`, message });
  let reader: Reader = { node, isCondition: false, isSettling: false };
  const compiler = createExpressionCompiler({
    onProblem: tell,
    onRead(at, source) {
      const message = readProblem(source, reader, judged);
      if (message !== null) tell(at, message);
    },
    isStep: (id) => judged.graph.steps.has(id),
  });
  for (const { at, value, isCondition } of enteringExpressions(node.given)) {
    reader = { node, isCondition, isSettling: false };
    if (isCondition && typeof value === 'string') compiler.selection(value, at);
    else compiler.mapping(value, at);
  }
  reader = { node, isCondition: false, isSettling: true };
  for (const { at, value } of settlingExpressions(node.given)) compiler.mapping(value, at);
  return problems;
}

function readProblem(source: Source, reader: Reader, judged: Judged): string | null {
  switch (source.from) {
    case 'workflow_input':
    case 'variables':
      return null;
    case 'item':
    case 'index':
      return isInMap(reader.node) ? null : `expected $.${source.from} only in the steps of a map`;
    case 'error':
      return isBehindCatch(reader.node, judged) ? null : 'expected $.error only where a catch leads';
    case 'output':
      return reader.isSettling ? null : 'expected $.output only in output_mapping and assign';
    case 'step':
      return stepProblem(source.stepId, reader, judged);
  }
}

/** The step, and the steps that it is inside, innermost first. */
function* outwards(node: StepNode): Generator<StepNode, undefined> {
  for (let at: StepNode | null = node; at !== null; at = at.scope.container) yield at;
}

function isInMap(node: StepNode): boolean {
  return outwards(node).some(({ scope }) => scope.isPerItem);
}

function isBehindCatch(node: StepNode, { ways }: Judged): boolean {
  return outwards(node).some(({ id, scope }) => ways.get(scope)?.isBehindCatch(id));
}

function stepProblem(
  read: string,
  { node, isCondition }: Reader,
  { graph, ways, hintOf }: Judged,
): string | null {
  const expected = `expected a step that completes before "${node.id}", got "${read}"`;
  const around = outwards(node).find(({ scope }) => scope.steps.has(read));
  if (around === undefined) {
    if (outwards(node).some(({ scope }) => scope.otherIds.has(read))) return null;
    const elsewhere = graph.steps.get(read);
    const container = elsewhere?.scope.container;
    return elsewhere && container
      ? `${expected}, which is ${elsewhere.path}: outside of "${container.id}" only that step's output is seen`
      : `${expected}, which is no step of this workflow${hintOf(read, graph.steps.keys())}`;
  }
  const { id, scope } = around;
  const way = ways.get(scope);
  if (way === undefined) return null;
  if (read === id && !way.mayComplete(read, id)) return expected;
  // What cannot be reached has something else that is wrong, which is told.
  if (!way.isReached(id) || (!way.isReached(read) && way.isWhole)) return null;
  if (isCondition ? way.isReached(read) && way.mayComplete(read, id) : way.completesBefore(read, id))
    return null;
  const mayComplete = way.isReached(read) && way.mayComplete(read, id);
  return mayComplete
    ? `expected a step that has completed on every way to "${node.id}", got "${read}"`
    : expected;
}
