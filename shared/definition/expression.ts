import { JSONPathEnvironment, JSONPathError, type JSONPathQuery, jsonpath } from 'json-p3';
import { isJsonObject, type Json } from '../engine/json.ts';
import type { Expression, Scope } from '../engine/plan.ts';

/*
 * Expressions are RFC 9535 JSONPath (library: json-p3) over `$.workflow_input`, `$.variables` and `$.<step_id>.output_data`
 * (design §2). What a definition can make cost more than the size of its data is refused when it is registered: regular
 * expressions, a second descendant segment, filters that walk the root again for every item, selections that multiply
 * (`[0, 0][0, 0]…` doubles with each segment), and mappings of very many paths that each walk all of the data.
 */
const { expressions } = jsonpath;
const environment = new JSONPathEnvironment();
environment.functionRegister.delete('match');
environment.functionRegister.delete('search');

/** In characters. The parser recurses: a longer path could nest past the stack. */
const MAX_PATH_LENGTH = 2_000;
/** How often one value may be selected, at the most. */
const MAX_ALTERNATIVES = 64;
const MAX_MULTIPLE_PATHS = 100;

export class ExpressionError extends Error {
  readonly code = 'EXPRESSION_ERROR';
}

/** What a path begins with decides what must be loaded for it. */
type Source = { from: 'workflow_input' } | { from: 'variables' } | { from: 'step'; stepId: string };

interface CompiledPath {
  readonly sources: readonly Source[];
  /** Whether it may select several values. */
  readonly isMultiple: boolean;
  evaluate(scope: Scope): Json;
}

/** A string that starts `$.` or `$[` is a path; every other value, `$5.00` too, is a literal. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && (value.startsWith('$.') || value.startsWith('$['));
}

/**
 * Compiles a mapping: a JSON value in which every string that is a path stands for what it selects.
 * @throws ExpressionError
 */
export function compileMapping(
  mapping: Json,
  { onProblem, onStepRead }: MappingObserver = {
    onProblem: (path, message) => {
      throw new ExpressionError(`${path}: ${message}`);
    },
  },
): Expression {
  const sources: Source[] = [];
  const steps = new Set<string>();
  let multiplePaths = 0;
  const evaluate = compileValue(mapping, '', onProblem, (path, compiled) => {
    sources.push(...compiled.sources);
    for (const source of compiled.sources) {
      if (source.from !== 'step') continue;
      steps.add(source.stepId);
      onStepRead?.(path, source.stepId);
    }
    if (compiled.isMultiple && ++multiplePaths === MAX_MULTIPLE_PATHS + 1) {
      onProblem(
        path,
        `expected at most ${MAX_MULTIPLE_PATHS} paths in a mapping that may select several values`,
      );
    }
  });
  return {
    reads: {
      workflowInput: sources.some(({ from }) => from === 'workflow_input'),
      variables: sources.some(({ from }) => from === 'variables'),
      steps: [...steps],
    },
    evaluate,
  };
}

/** What is told while a mapping is compiled, each by its place in the mapping. */
export interface MappingObserver {
  onProblem(path: string, message: string): void;
  onStepRead?(path: string, stepId: string): void;
}

type Evaluate = (scope: Scope) => Json;

function compileValue(
  value: Json,
  path: string,
  onProblem: MappingObserver['onProblem'],
  onPath: (path: string, compiled: CompiledPath) => void,
): Evaluate {
  if (isPath(value)) {
    try {
      const compiled = compilePath(value);
      onPath(path, compiled);
      return compiled.evaluate;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      onProblem(path, error.message);
      return () => null;
    }
  }
  const join = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (Array.isArray(value)) {
    const items = value.map((item, i) => compileValue(item, join(i), onProblem, onPath));
    return (scope) => items.map((evaluate) => evaluate(scope));
  }
  if (isJsonObject(value)) {
    const entries = Object.entries(value).map(
      ([key, child]) => [key, compileValue(child, join(key), onProblem, onPath)] as const,
    );
    return (scope) => Object.fromEntries(entries.map(([key, evaluate]) => [key, evaluate(scope)]));
  }
  return () => value;
}

function compilePath(text: string): CompiledPath {
  const query = parse(text);
  checkCost(query);
  const sources = [sourceOf(query), ...queriesIn(query, expressions.RootQuery).map(sourceOf)];
  if (!query.singularQuery()) {
    const evaluate: Evaluate = (scope) => query.query(rootFor(sources, scope) as never).values() as Json;
    return { sources, isMultiple: true, evaluate };
  }
  // A singular query is a walk along names and indices: no need for the general machinery on every step.
  const keys = query.segments.map((segment) => {
    const [selector] = segment.selectors;
    return selector instanceof jsonpath.selectors.NameSelector
      ? selector.name
      : (selector as jsonpath.selectors.IndexSelector).index;
  });
  return { sources, isMultiple: false, evaluate: (scope) => walk(rootFor(sources, scope), keys) };
}

function parse(text: string): JSONPathQuery {
  if (text.length > MAX_PATH_LENGTH) {
    throw new ExpressionError(
      `expected a JSONPath of at most ${MAX_PATH_LENGTH} characters, got ${text.length}`,
    );
  }
  try {
    return environment.compile(text);
  } catch (error) {
    if (!(error instanceof JSONPathError)) throw error;
    const hint = "names with characters other than letters, digits and _ are written $['my-step']";
    throw new ExpressionError(`expected a JSONPath (RFC 9535; ${hint}), got "${text}": ${error.message}`, {
      cause: error,
    });
  }
}

function sourceOf(query: JSONPathQuery): Source {
  const names = query.segments.slice(0, 2).map((segment) => {
    const [selector] = segment.selectors;
    const isName = segment.selectors.length === 1 && selector instanceof jsonpath.selectors.NameSelector;
    return isName && !isDescendant(segment) ? selector.name : null;
  });
  const [first = null, second = null] = names;
  if (first === 'workflow_input' || first === 'variables') return { from: first };
  if (first !== null && second === 'output_data') return { from: 'step', stepId: first };
  const expected = '$.workflow_input…, $.variables… or $.<step_id>.output_data…';
  throw new ExpressionError(`expected a path that begins ${expected}, got "${query.toString()}"`);
}

/** The object that the paths look at: only what they name. */
function rootFor(sources: readonly Source[], scope: Scope): Json {
  const root: Record<string, Json> = {};
  for (const source of sources) {
    if (source.from === 'workflow_input') root.workflow_input = scope.workflowInput;
    else if (source.from === 'variables') root.variables = scope.variables;
    else {
      const output = scope.outputs.get(source.stepId);
      if (output !== undefined) root[source.stepId] = { output_data: output };
    }
  }
  return root;
}

function walk(root: Json, keys: readonly (string | number)[]): Json {
  let value: Json = root;
  for (const key of keys) {
    if (typeof key === 'number') {
      if (!Array.isArray(value)) return null;
      const item: Json | undefined = value.at(key);
      if (item === undefined) return null;
      value = item;
    } else {
      if (!isJsonObject(value) || !Object.hasOwn(value, key)) return null;
      value = value[key]!;
    }
  }
  return value;
}

function checkCost(query: JSONPathQuery): void {
  for (const root of queriesIn(query, expressions.RootQuery)) {
    if (!root.singularQuery()) {
      throw new ExpressionError(`expected a path to one value inside a filter, got "${root.toString()}"`);
    }
  }
  const segments = [query, ...queriesIn(query, expressions.FilterQuery)].flatMap((each) => each.segments);
  if (segments.filter(isDescendant).length > 1) {
    throw new ExpressionError(`expected at most one ".." in "${query.toString()}"`);
  }
  const alternatives = segments.reduce((product, { selectors }) => product * selectors.length, 1);
  if (alternatives > MAX_ALTERNATIVES) {
    const message = `expected at most ${MAX_ALTERNATIVES} combinations of selectors in "${query.toString()}"`;
    throw new ExpressionError(`${message}, got ${alternatives}`);
  }
}

// json-p3 does not export its segment classes.
const DescendantSegment = environment.compile('$..a').segments[0]?.constructor;

function isDescendant(segment: JSONPathQuery['segments'][number]): boolean {
  return segment.constructor === DescendantSegment;
}

type QueryKind = typeof expressions.FilterQuery | typeof expressions.RootQuery;

/** The paths of one kind inside a query's filters, at any depth. */
function queriesIn(query: JSONPathQuery, kind: QueryKind): JSONPathQuery[] {
  return query.segments.flatMap((segment) =>
    segment.selectors.flatMap((selector) =>
      selector instanceof jsonpath.selectors.FilterSelector ? queriesOf(selector.expression, kind) : [],
    ),
  );
}

function queriesOf(expression: jsonpath.expressions.FilterExpression, kind: QueryKind): JSONPathQuery[] {
  if (expression instanceof expressions.FilterQuery) {
    return [...(expression instanceof kind ? [expression.path] : []), ...queriesIn(expression.path, kind)];
  }
  if (expression instanceof expressions.LogicalExpression) return queriesOf(expression.expression, kind);
  if (expression instanceof expressions.PrefixExpression) return queriesOf(expression.right, kind);
  if (expression instanceof expressions.InfixExpression) {
    return [...queriesOf(expression.left, kind), ...queriesOf(expression.right, kind)];
  }
  if (expression instanceof expressions.FunctionExtension) {
    return expression.args.flatMap((argument) => queriesOf(argument, kind));
  }
  return [];
}
