import { JSONPathEnvironment, JSONPathError, type JSONPathQuery, jsonpath } from 'json-p3';
import { limits } from '../config/limits.ts';
import { isJsonObject, type Json } from '../engine/json.ts';
import type { Scope } from '../engine/plan.ts';
import { compareByValue, lengthFunction, queriesIn } from './path-filters.ts';
import type { Source } from './reads.ts';

/*
 * Expressions are RFC 9535 JSONPath (library: json-p3) over `$.workflow_input`, `$.variables`, `$.<step_id>.output_data`, `$.item`
 * and `$.index` in a map, `$.error` behind a catch, and `$.output` where a step's result is reshaped (design §2). What a
 * definition can make cost more than the size of its data is refused when it is registered: regular expressions, a second
 * descendant segment, filters that walk the root again for every item, selections that multiply (`[0, 0][0, 0]…` doubles with
 * each segment), and steps with very many paths that each walk all of the data.
 */
const { expressions } = jsonpath;
/** `..` goes down all of what may be stored, and the names above it. The library's own limit is less. */
const MAX_DEPTH = limits.maxJsonDepth + 10;
const environment = new JSONPathEnvironment({ maxRecursionDepth: MAX_DEPTH });
environment.functionRegister.delete('match');
environment.functionRegister.delete('search');
environment.functionRegister.set('length', lengthFunction);

/** In characters. The parser recurses: a longer path could nest past the stack. */
const MAX_PATH_LENGTH = 2_000;
/** How often one value may be selected, at the most. */
const MAX_ALTERNATIVES = 64;

const roots = ['workflow_input', 'variables', 'item', 'index', 'error', 'output'] as const;

export class ExpressionError extends Error {
  readonly code = 'EXPRESSION_ERROR';
}

/** It is no path that could be meant here, so that it may be text. */
export class NoPathError extends ExpressionError {}

export interface CompiledPath {
  readonly sources: readonly Source[];
  /** Whether it may select several values. */
  readonly isMultiple: boolean;
  /** Undefined where it selects nothing. */
  select(scope: Scope): Json | undefined;
}

/** @throws ExpressionError */
export function compilePath(text: string, isStep: (id: string) => boolean): CompiledPath {
  const query = parse(text);
  checkCost(query);
  const queries = [query, ...queriesIn(query, expressions.RootQuery)];
  const sources = queries.map((each) => sourceOf(each, isStep));
  if (!query.singularQuery()) {
    const select = (scope: Scope) => query.query(rootFor(sources, scope) as never).values() as Json;
    return { sources, isMultiple: true, select };
  }
  // A singular query is a walk along names and indices: no need for the general machinery on every step.
  const keys = query.segments.map((segment) => {
    const [selector] = segment.selectors;
    return selector instanceof jsonpath.selectors.NameSelector
      ? selector.name
      : (selector as jsonpath.selectors.IndexSelector).index;
  });
  return { sources, isMultiple: false, select: (scope) => walk(rootFor(sources, scope), keys) };
}

function parse(text: string): JSONPathQuery {
  if (text.length > MAX_PATH_LENGTH) {
    throw new NoPathError(`expected a JSONPath of at most ${MAX_PATH_LENGTH} characters, got ${text.length}`);
  }
  try {
    const query = environment.compile(text);
    compareByValue(query);
    return query;
  } catch (error) {
    if (!(error instanceof JSONPathError)) throw error;
    const hint = "names with characters other than letters, digits and _ are written $['my-step']";
    throw new NoPathError(`expected a JSONPath (RFC 9535; ${hint}), got "${text}": ${error.message}`, {
      cause: error,
    });
  }
}

function sourceOf(query: JSONPathQuery, isStep: (id: string) => boolean): Source {
  const names = query.segments.slice(0, 2).map((segment) => {
    const [selector] = segment.selectors;
    const isName = segment.selectors.length === 1 && selector instanceof jsonpath.selectors.NameSelector;
    return isName && !isDescendant(segment) ? selector.name : null;
  });
  const [first = null, second = null] = names;
  if (first !== null && second === 'output_data' && (isStep(first) || !isRoot(first))) {
    return { from: 'step', stepId: first };
  }
  if (isRoot(first)) return first === 'variables' ? { from: first, name: second } : { from: first };
  const expected = [...roots.slice(0, -1).map((root) => `$.${root}…`), '$.<step_id>.output_data…'];
  throw new NoPathError(
    `expected a path that begins ${expected.slice(0, -1).join(', ')} or ${expected.at(-1)}, got "${query.toString()}"`,
  );
}

function isRoot(name: string | null): name is (typeof roots)[number] {
  return roots.some((root) => root === name);
}

/** The object that the paths look at: only what they name, and of that what is there. */
function rootFor(sources: readonly Source[], scope: Scope): Json {
  const root: Record<string, Json> = {};
  for (const source of sources) {
    if (source.from === 'step') {
      const output = scope.outputs.get(source.stepId);
      if (output !== undefined) root[source.stepId] = { output_data: output };
    } else {
      const value = rootValue(source.from, scope);
      if (value !== undefined) root[source.from] = value;
    }
  }
  return root;
}

function rootValue(root: (typeof roots)[number], scope: Scope): Json | undefined {
  switch (root) {
    case 'workflow_input':
      return scope.workflowInput;
    case 'variables':
      return scope.variables;
    case 'item':
      return scope.item;
    case 'index':
      return scope.index;
    case 'error':
      return scope.error;
    case 'output':
      return scope.output;
  }
}

/** Undefined where there is nothing. */
function walk(root: Json, keys: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = root;
  for (const key of keys) {
    if (typeof key === 'number') {
      value = Array.isArray(value) ? value.at(key) : undefined;
    } else {
      value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    }
    if (value === undefined) return undefined;
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

/** A string that starts `$.` or `$[` is a path; every other value, `$5.00` too, is a literal. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && (value.startsWith('$.') || value.startsWith('$['));
}

/** Backslashes before what would be a path: the first of them says that it is text, and is no part of it. */
const ESCAPED = /^\\+\$[.[]/;

/** The text that a string of a mapping which is no path stands for: `\$.50` for `$.50`, `\\$.50` for `\$.50`. */
export function literalText(text: string): string {
  return ESCAPED.test(text) ? text.slice(1) : text;
}

/** Of a string that is no path that can be: it may not have been meant as one. */
export const ESCAPE_HINT = 'text that begins so has a backslash before it: "\\\\$.50" in JSON is $.50';
