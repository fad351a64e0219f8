import { JSONPathEnvironment, JSONPathError, type JSONPathQuery, jsonpath } from 'json-p3';
import { isJsonObject, type Json } from '../engine/json.ts';
import type { Expression, Scope } from '../engine/plan.ts';

/*
 * Expressions are RFC 9535 JSONPath (library: json-p3) over `$.workflow_input`, `$.variables` and `$.<step_id>.output_data`
 * (design §2). What a definition can make cost more than the size of its data is refused when it is registered: regular
 * expressions, a second descendant segment, and filters that walk the root again for every item.
 */
const environment = new JSONPathEnvironment();
environment.functionRegister.delete('match');
environment.functionRegister.delete('search');

export class ExpressionError extends Error {
  readonly code = 'EXPRESSION_ERROR';
}

/** What a path begins with decides what must be loaded for it. */
type Source = { from: 'workflow_input' } | { from: 'variables' } | { from: 'step'; stepId: string };

interface CompiledPath {
  readonly sources: readonly Source[];
  evaluate(scope: Scope): Json;
}

/** A string that starts `$.` or `$[` is a path; every other value, `$5.00` too, is a literal. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && (value.startsWith('$.') || value.startsWith('$['));
}

/**
 * Compiles a mapping: a JSON value in which every string that is a path stands for what it selects.
 * @param onProblem is told of each path that is wrong, by its place in the mapping; without it the first one throws.
 * @throws ExpressionError
 */
export function compileMapping(
  mapping: Json,
  onProblem: (path: string, message: string) => void = (path, message) => {
    throw new ExpressionError(`${path}: ${message}`);
  },
): Expression {
  const sources: Source[] = [];
  const evaluate = compileValue(mapping, '', sources, onProblem);
  const steps = new Set(sources.flatMap((source) => (source.from === 'step' ? [source.stepId] : [])));
  return {
    reads: {
      workflowInput: sources.some(({ from }) => from === 'workflow_input'),
      variables: sources.some(({ from }) => from === 'variables'),
      steps: [...steps],
    },
    evaluate,
  };
}

type Evaluate = (scope: Scope) => Json;

function compileValue(
  value: Json,
  path: string,
  sources: Source[],
  onProblem: (path: string, message: string) => void,
): Evaluate {
  if (isPath(value)) {
    try {
      const compiled = compilePath(value);
      sources.push(...compiled.sources);
      return compiled.evaluate;
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      onProblem(path, error.message);
      return () => null;
    }
  }
  const join = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (Array.isArray(value)) {
    const items = value.map((item, i) => compileValue(item, join(i), sources, onProblem));
    return (scope) => items.map((evaluate) => evaluate(scope));
  }
  if (isJsonObject(value)) {
    const entries = Object.entries(value).map(
      ([key, child]) => [key, compileValue(child, join(key), sources, onProblem)] as const,
    );
    return (scope) => Object.fromEntries(entries.map(([key, evaluate]) => [key, evaluate(scope)]));
  }
  return () => value;
}

function compilePath(text: string): CompiledPath {
  const query = parse(text);
  checkCost(query);
  const sources = [sourceOf(query), ...rootQueriesIn(query).map(sourceOf)];
  if (!query.singularQuery()) {
    return { sources, evaluate: (scope) => query.query(rootFor(sources, scope) as never).values() as Json };
  }
  // A singular query is a walk along names and indices: no need for the general machinery on every step.
  const keys = query.segments.map((segment) => {
    const [selector] = segment.selectors;
    return selector instanceof jsonpath.selectors.NameSelector
      ? selector.name
      : (selector as jsonpath.selectors.IndexSelector).index;
  });
  return { sources, evaluate: (scope) => walk(rootFor(sources, scope), keys) };
}

function parse(text: string): JSONPathQuery {
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
  const descendants = query.segments.filter(isDescendant);
  if (descendants.length > 1) throw new ExpressionError(`expected at most one ".." in "${query.toString()}"`);
  for (const root of rootQueriesIn(query)) {
    if (!root.singularQuery()) {
      throw new ExpressionError(`expected a path to one value inside a filter, got "${root.toString()}"`);
    }
  }
}

// json-p3 does not export its segment classes; their canonical text tells them apart.
function isDescendant(segment: JSONPathQuery['segments'][number]): boolean {
  return segment.toString().startsWith('..');
}

/** The absolute paths inside a query's filters. */
function rootQueriesIn(query: JSONPathQuery): JSONPathQuery[] {
  return query.segments.flatMap((segment) =>
    segment.selectors.flatMap((selector) =>
      selector instanceof jsonpath.selectors.FilterSelector ? rootQueriesOf(selector.expression) : [],
    ),
  );
}

function rootQueriesOf(expression: jsonpath.expressions.FilterExpression): JSONPathQuery[] {
  const { expressions } = jsonpath;
  if (expression instanceof expressions.RootQuery)
    return [expression.path, ...rootQueriesIn(expression.path)];
  if (expression instanceof expressions.RelativeQuery) return rootQueriesIn(expression.path);
  if (expression instanceof expressions.LogicalExpression) return rootQueriesOf(expression.expression);
  if (expression instanceof expressions.PrefixExpression) return rootQueriesOf(expression.right);
  if (expression instanceof expressions.InfixExpression) {
    return [...rootQueriesOf(expression.left), ...rootQueriesOf(expression.right)];
  }
  if (expression instanceof expressions.FunctionExtension) return expression.args.flatMap(rootQueriesOf);
  return [];
}
