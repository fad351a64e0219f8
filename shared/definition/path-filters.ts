import { FunctionExpressionType, JSONPathNodeList, type JSONPathQuery, jsonpath, Nothing } from 'json-p3';
import type { Json } from '../engine/json.ts';
import { countCharacters } from '../validation/characters.ts';
import { compareText, equalJson } from './json-comparison.ts';

/* What stands in the filters of a path, and how it is judged where the library does not do it as RFC 9535 says. */

const { expressions, selectors } = jsonpath;
type FilterExpression = jsonpath.expressions.FilterExpression;
type QueryKind = typeof expressions.FilterQuery | typeof expressions.RootQuery;

/** The paths of one kind inside a query's filters, at any depth. */
export function queriesIn(query: JSONPathQuery, kind: QueryKind): JSONPathQuery[] {
  return expressionsIn(query).flatMap((expression) =>
    expression instanceof expressions.FilterQuery && expression instanceof kind ? [expression.path] : [],
  );
}

/** The library compares text by UTF-16 code units, and objects by what they inherit too: here it is done by values. */
export function compareByValue(query: JSONPathQuery): void {
  for (const expression of expressionsIn(query))
    if (expression instanceof expressions.InfixExpression && !expression.logical)
      expression.evaluate = (context) =>
        holds(
          expression.operator,
          operandValue(expression.left.evaluate(context)),
          operandValue(expression.right.evaluate(context)),
        );
}

/** `length()`: the library's counts UTF-16 code units. */
export const lengthFunction: jsonpath.FilterFunction = {
  argTypes: [FunctionExpressionType.ValueType],
  returnType: FunctionExpressionType.ValueType,
  call(value: unknown) {
    if (typeof value === 'string') return countCharacters(value);
    if (Array.isArray(value)) return value.length;
    return typeof value === 'object' && value !== null ? Object.keys(value).length : Nothing;
  },
};

/** Undefined: nothing. Two nothings are equal, and neither is less. */
function holds(operator: string, left: Json | undefined, right: Json | undefined): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case '<':
      return isLess(left, right);
    case '>':
      return isLess(right, left);
    case '<=':
      return isLess(left, right) || isEqual(left, right);
    case '>=':
      return isLess(right, left) || isEqual(left, right);
    default:
      throw new Error(`There is no comparison ${operator}`);
  }
}

function isEqual(left: Json | undefined, right: Json | undefined): boolean {
  return left === undefined || right === undefined ? left === right : equalJson(left, right);
}

function isLess(left: Json | undefined, right: Json | undefined): boolean {
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right) < 0;
  return typeof left === 'number' && typeof right === 'number' && left < right;
}

function operandValue(operand: unknown): Json | undefined {
  if (operand instanceof JSONPathNodeList) return operand.nodes[0]?.value as Json | undefined;
  return operand === Nothing ? undefined : (operand as Json);
}

function expressionsIn(query: JSONPathQuery): FilterExpression[] {
  return query.segments.flatMap((segment) =>
    segment.selectors.flatMap((selector) =>
      selector instanceof selectors.FilterSelector ? withThoseInside(selector.expression) : [],
    ),
  );
}

function withThoseInside(expression: FilterExpression): FilterExpression[] {
  return [expression, ...inside(expression)];
}

function inside(expression: FilterExpression): FilterExpression[] {
  if (expression instanceof expressions.FilterQuery) return expressionsIn(expression.path);
  if (expression instanceof expressions.LogicalExpression) return withThoseInside(expression.expression);
  if (expression instanceof expressions.PrefixExpression) return withThoseInside(expression.right);
  if (expression instanceof expressions.InfixExpression)
    return [...withThoseInside(expression.left), ...withThoseInside(expression.right)];
  return expression instanceof expressions.FunctionExtension ? expression.args.flatMap(withThoseInside) : [];
}
