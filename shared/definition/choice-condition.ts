import * as z from 'zod';
import { isJsonObject, type Json } from '../engine/json.ts';
import type { Scope } from '../engine/plan.ts';
import { comparisons } from './choice-comparisons.ts';
import type { ExpressionCompiler } from './expression.ts';
import { isPath } from './json-path.ts';
import { path, whereFieldsAreRight } from './step-fields.ts';
import type { FoundExpression } from './step-type.ts';

/** `variable` with one comparison, or several conditions by `and`, `or` or `not`. */
export interface Condition {
  readonly variable?: string | undefined;
  readonly and?: readonly Condition[] | undefined;
  readonly or?: readonly Condition[] | undefined;
  readonly not?: Condition | undefined;
}

/** Of conditions inside one another. */
const MAX_DEPTH = 10;

const condition: z.ZodType<Condition> = z.lazy(() => conditionSchema);
const conditions = z
  .array(condition, { error: 'expected a list of conditions' })
  .min(1, 'expected at least one condition');

export const conditionFields = {
  variable: path.optional().describe('A path to the one value that is compared.'),
  ...Object.fromEntries(
    [...comparisons].map(([name, { operand }]) => [name, operand.optional().describe(describe(name))]),
  ),
  and: conditions.optional().describe('Each of these holds.'),
  or: conditions.optional().describe('One of these holds.'),
  not: condition.optional().describe('This does not hold.'),
};

const conditionSchema = z
  .strictObject(conditionFields)
  .superRefine(checkCondition, whereFieldsAreRight)
  .meta({ id: 'ChoiceCondition' });

function describe(comparison: string): string {
  if (comparison.startsWith('is_')) return `Whether it is (true) or is not (false) ${comparison.slice(3)}.`;
  if (comparison === 'string_matches') return 'A pattern: `*` is any text, `\\*` an asterisk.';
  return comparison.endsWith('_path')
    ? 'A path to what it is compared with; another type is false.'
    : 'What it is compared with; another type is false.';
}

/** Says what is missing or too much; fields that are wrong in themselves have been told. */
export function checkCondition(condition: Condition, context: z.RefinementCtx): void {
  const message = problemOf(condition);
  if (message !== null) context.addIssue({ code: 'custom', message });
}

function problemOf(condition: Condition): string | null {
  const compared = comparisonsIn(condition).map(([name]) => name);
  const combined = (['and', 'or', 'not'] as const).filter((key) => condition[key] !== undefined);
  if (combined.length + compared.length > 1) {
    return `expected one comparison, or one of "and", "or" and "not", got ${[...compared, ...combined].join(' and ')}`;
  }
  if (combined.length === 1) {
    return condition.variable === undefined ? null : `expected no "variable" beside "${combined[0]}"`;
  }
  if (compared.length === 0) {
    return condition.variable === undefined
      ? 'expected "variable" and a comparison, or "and", "or" or "not"'
      : 'expected a comparison beside "variable", such as "string_equals"';
  }
  return condition.variable === undefined ? `expected "variable" beside "${compared[0]}"` : null;
}

function comparisonsIn(condition: Condition): [string, Json][] {
  const fields: [string, Json | undefined][] = Object.entries(condition);
  return fields.filter(
    (field): field is [string, Json] => comparisons.has(field[0]) && field[1] !== undefined,
  );
}

/** The most comparisons that one choice may have: each may look at a whole payload. */
const MAX_COMPARISONS = 1_000;
const MAX_PATTERNS = 100;

/** What nests too deep, and what costs too much together. */
export function checkConditions(rules: readonly Condition[], context: z.RefinementCtx): void {
  const tell = (message: string, at: readonly (string | number)[]) =>
    context.addIssue({ code: 'custom', path: [...at], message });
  let compared = 0;
  let patterns = 0;
  const open = rules.map((condition, i): Placed => ({ condition, at: [i], depth: 1 })).reverse();
  for (let placed = open.pop(); placed !== undefined; placed = open.pop()) {
    const { condition, at, depth } = placed;
    if (depth > MAX_DEPTH) {
      tell(`expected at most ${MAX_DEPTH} conditions inside one another`, at);
      return;
    }
    for (const [name] of comparisonsIn(condition)) {
      if (++compared === MAX_COMPARISONS + 1) {
        tell(`expected at most ${MAX_COMPARISONS} comparisons in a choice`, at);
      }
      if (comparisons.get(name)?.isPattern && ++patterns === MAX_PATTERNS + 1) {
        tell(`expected at most ${MAX_PATTERNS} patterns in a choice`, [...at, name]);
      }
    }
    const { and = [], or = [], not } = condition;
    const inner = (child: Condition, ...place: (string | number)[]): Placed => ({
      condition: child,
      at: [...at, ...place],
      depth: depth + 1,
    });
    open.push(
      ...[
        ...and.map((child, i) => inner(child, 'and', i)),
        ...or.map((child, i) => inner(child, 'or', i)),
        ...(not === undefined ? [] : [inner(not, 'not')]),
      ].reverse(),
    );
  }
}

interface Placed {
  readonly condition: Condition;
  readonly at: readonly (string | number)[];
  readonly depth: number;
}

/** Every path in a condition that may have anything wrong with it. */
export function pathsInCondition(given: Json | undefined, place: string): FoundExpression[] {
  const found: FoundExpression[] = [];
  const open = [{ given, place }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { given, place } = next;
    if (!isJsonObject(given)) continue;
    for (const [key, value] of Object.entries(given)) {
      const at = `${place}.${key}`;
      if (key === 'variable' || comparisons.get(key)?.isPath) {
        if (isPath(value)) found.push({ at, value, isCondition: true });
      } else if (key === 'not') {
        open.push({ given: value, place: at });
      } else if ((key === 'and' || key === 'or') && Array.isArray(value)) {
        open.push(...value.map((child: Json, i) => ({ given: child, place: `${at}.${i}` })));
      }
    }
  }
  return found;
}

type Holds = (scope: Scope) => boolean;

/** It nests no deeper than was checked when it was registered. */
export function compileCondition(condition: Condition, entering: ExpressionCompiler): Holds {
  const { variable, and, or, not } = condition;
  if (and !== undefined) {
    const all = and.map((child) => compileCondition(child, entering));
    return (scope) => all.every((holds) => holds(scope));
  }
  if (or !== undefined) {
    const any = or.map((child) => compileCondition(child, entering));
    return (scope) => any.some((holds) => holds(scope));
  }
  if (not !== undefined) {
    const inner = compileCondition(not, entering);
    return (scope) => !inner(scope);
  }
  const [[name, operand] = ['', null]] = comparisonsIn(condition);
  const comparison = comparisons.get(name);
  if (variable === undefined || comparison === undefined) return () => false;
  const select = entering.selection(variable);
  if (comparison.isPath && isPath(operand)) {
    const other = entering.selection(operand);
    return (scope) => comparison.compile(other(scope))(select(scope));
  }
  const holds = comparison.compile(operand);
  return (scope) => holds(select(scope));
}
