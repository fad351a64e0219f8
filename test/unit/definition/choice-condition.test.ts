import { describe, expect, it } from 'vitest';
import { compileCondition } from '../../../shared/definition/choice-condition.ts';
import { createExpressionCompiler } from '../../../shared/definition/expression.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { Scope } from '../../../shared/engine/plan.ts';

const x = '$.workflow_input.x';
const y = '$.workflow_input.y';
const NOTHING = Symbol('nothing');

function holds(condition: object, x: Json | typeof NOTHING, y: Json = null): boolean {
  const workflowInput = { y, ...(typeof x !== 'symbol' && { x }) };
  const scope: Scope = { workflowInput, variables: null, outputs: new Map() };
  return compileCondition(condition, createExpressionCompiler())(scope);
}

describe('a comparison', () => {
  it.each<[name: string, operand: Json, value: Json | typeof NOTHING, expected: boolean]>([
    ['string_equals', 'a', 'a', true],
    ['string_equals', 'a', 'A', false],
    ['string_equals', '1', 1, false],
    ['string_equals', '$.workflow_input.y', '$.workflow_input.y', true],
    ['string_less_than', 'b', 'a', true],
    ['string_less_than', 'b', 'b', false],
    ['string_less_than', 'a', 'Z', true],
    // By code point: the first unit of the pair would be before U+FF5E.
    ['string_less_than', '\uff5e', '😀', false],
    ['string_greater_than', '\uff5e', '😀', true],
    ['string_less_than_equals', 'b', 'b', true],
    ['string_greater_than', 'b', 'ba', true],
    ['string_greater_than_equals', 'b', 'b', true],
    ['string_greater_than_equals', 'b', 'a', false],
    ['numeric_equals', 1, 1, true],
    ['numeric_equals', 0, -0, true],
    ['numeric_equals', 1, '1', false],
    ['numeric_equals', 1, true, false],
    ['numeric_less_than', 1.5, 1, true],
    ['numeric_less_than', 1e300, 1e301, false],
    ['numeric_less_than_equals', 2, 2, true],
    ['numeric_greater_than', -1, 0, true],
    ['numeric_greater_than_equals', 5, 4.9, false],
    ['boolean_equals', true, true, true],
    ['boolean_equals', false, true, false],
    ['boolean_equals', false, false, true],
    ['boolean_equals', true, 'true', false],
    ['boolean_equals', true, 1, false],
    ['timestamp_equals', '2026-01-01T00:00:00Z', '2026-01-01T01:00:00+01:00', true],
    ['timestamp_less_than', '2026-01-01T00:00:00Z', '2025-12-31T23:59:59.999Z', true],
    ['timestamp_less_than_equals', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', true],
    ['timestamp_greater_than', '2026-01-01T00:00:00Z', '2026-01-01', false],
    ['timestamp_greater_than_equals', '2026-01-01T00:00:00Z', 1_800_000_000, false],
    ['string_matches', 'log-*.txt', 'log-1.txt', true],
    ['string_matches', 'log-*.txt', 'log-1.csv', false],
    ['string_matches', '*', 5, false],
    ['is_present', true, null, true],
    ['is_present', true, NOTHING, false],
    ['is_present', false, NOTHING, true],
    ['is_present', false, 0, false],
    ['is_null', true, null, true],
    ['is_null', true, 0, false],
    ['is_null', false, 0, true],
    ['is_null', true, NOTHING, false],
    ['is_null', false, NOTHING, false],
    ['is_string', true, '', true],
    ['is_string', false, 1, true],
    ['is_string', false, NOTHING, false],
    ['is_numeric', true, 1, true],
    ['is_numeric', true, '1', false],
    ['is_boolean', true, false, true],
    ['is_boolean', true, null, false],
    ['is_timestamp', true, '2026-01-01T00:00:00Z', true],
    ['is_timestamp', true, 'soon', false],
    ['is_timestamp', false, 5, true],
  ])('%s %j on %o: %s', (name, operand, value, expected) => {
    expect(holds({ variable: x, [name]: operand }, value)).toBe(expected);
    expect(holds({ not: { variable: x, [name]: operand } }, value)).toBe(!expected);
  });

  it.each([
    ['string_equals', 'a'],
    ['string_less_than_equals', 'a'],
    ['numeric_greater_than_equals', 1],
    ['boolean_equals', true],
    ['timestamp_equals', '2026-01-01T00:00:00Z'],
    ['string_matches', '*'],
  ])('%s is false where nothing is selected, or null', (name, operand) => {
    expect(holds({ variable: x, [name]: operand }, NOTHING)).toBe(false);
    expect(holds({ variable: x, [name]: operand }, null)).toBe(false);
  });

  it.each<[name: string, value: Json, other: Json, expected: boolean]>([
    ['string_equals_path', 'a', 'a', true],
    ['string_equals_path', 'a', 1, false],
    ['string_equals_path', 1, 1, false],
    ['numeric_less_than_path', 1, 2, true],
    ['numeric_less_than_path', 2, 2, false],
    ['numeric_greater_than_equals_path', 2, 2, true],
    ['boolean_equals_path', false, false, true],
    ['timestamp_less_than_path', '2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', true],
    ['timestamp_less_than_path', '2026-01-01T00:00:00Z', 'later', false],
  ])('%s of %j and %j: %s', (name, value, other, expected) => {
    expect(holds({ variable: x, [name]: y }, value, other)).toBe(expected);
  });
});

describe('conditions combine', () => {
  const isA = { variable: x, string_equals: 'a' };
  const isOne = { variable: y, numeric_equals: 1 };

  it.each<[string, object, Json, Json, boolean]>([
    ['and: all', { and: [isA, isOne] }, 'a', 1, true],
    ['and: not all', { and: [isA, isOne] }, 'a', 2, false],
    ['or: one', { or: [isA, isOne] }, 'b', 1, true],
    ['or: none', { or: [isA, isOne] }, 'b', 2, false],
    ['inside one another', { and: [{ not: isA }, { or: [isA, isOne] }] }, 'b', 1, true],
  ])('%s', (_, condition, x, y, expected) => {
    expect(holds(condition, x, y)).toBe(expected);
  });
});
