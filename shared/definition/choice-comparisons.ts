import * as z from 'zod';
import type { Json } from '../engine/json.ts';
import { compareTimestamps, parseTimestamp } from '../engine/timestamp.ts';
import { compareText } from './json-comparison.ts';
import { path } from './step-fields.ts';
import { compilePattern } from './string-pattern.ts';

/*
 * Step Functions' comparisons, in snake_case: string_equals, numeric_less_than_path, is_present, … A value of another type than the
 * comparison is for makes it false.
 */

/** What the value at `variable` is; undefined: nothing is there. */
type Holds = (value: Json | undefined) => boolean;

export interface Comparison {
  readonly operand: z.ZodType<Json>;
  /** The operand is a path to what is compared with. */
  readonly isPath: boolean;
  /** Its cost is that of the text's length. */
  readonly isPattern: boolean;
  compile(operand: Json | undefined): Holds;
}

interface Kind<Value> {
  readonly literal: z.ZodType<Json>;
  /** Null for what is of another type. */
  read(value: Json | undefined): Value | null;
  /** Negative where `a` comes before `b`, 0 where they are equal. */
  compare(a: Value, b: Value): number;
}

const text: Kind<string> = {
  literal: z.string({ error: 'expected text' }),
  read: (value) => (typeof value === 'string' ? value : null),
  compare: compareText,
};
const number: Kind<number> = {
  literal: z.number({ error: 'expected a number' }),
  read: (value) => (typeof value === 'number' ? value : null),
  compare: (a, b) => a - b,
};
const boolean: Kind<boolean> = {
  literal: z.boolean({ error: 'expected true or false' }),
  read: (value) => (typeof value === 'boolean' ? value : null),
  compare: (a, b) => Number(a) - Number(b),
};
const TIMESTAMP = 'expected an RFC 3339 timestamp, such as 2030-01-31T09:00:00Z';
const timestamp: Kind<NonNullable<ReturnType<typeof parseTimestamp>>> = {
  literal: z.string({ error: TIMESTAMP }).refine((given) => parseTimestamp(given) !== null, TIMESTAMP),
  read: (value) => (typeof value === 'string' ? parseTimestamp(value) : null),
  compare: compareTimestamps,
};

const orders: Readonly<Record<string, (order: number) => boolean>> = {
  equals: (order) => order === 0,
  less_than: (order) => order < 0,
  greater_than: (order) => order > 0,
  less_than_equals: (order) => order <= 0,
  greater_than_equals: (order) => order >= 0,
};

function comparisonsOf<Value>(name: string, kind: Kind<Value>, names: readonly string[]) {
  return names.flatMap((order): [string, Comparison][] => {
    const compile: Comparison['compile'] = (operand) => {
      const right = kind.read(operand);
      if (right === null) return () => false;
      return (value) => {
        const left = kind.read(value);
        return left !== null && orders[order]!(kind.compare(left, right));
      };
    };
    const shared = { compile, isPattern: false };
    return [
      [`${name}_${order}`, { ...shared, operand: kind.literal, isPath: false }],
      [`${name}_${order}_path`, { ...shared, operand: path, isPath: true }],
    ];
  });
}

function check(holds: Holds, ofNothing = false): Comparison {
  return {
    operand: boolean.literal,
    isPath: false,
    isPattern: false,
    compile: (expected) => (value) => (value !== undefined || ofNothing) && holds(value) === expected,
  };
}

const PATTERN = 'expected text in which \\ stands before * or \\ only';

/** By name. */
export const comparisons: ReadonlyMap<string, Comparison> = new Map([
  ...comparisonsOf('string', text, Object.keys(orders)),
  ...comparisonsOf('numeric', number, Object.keys(orders)),
  ...comparisonsOf('timestamp', timestamp, Object.keys(orders)),
  ...comparisonsOf('boolean', boolean, ['equals']),
  [
    'string_matches',
    {
      operand: z.string({ error: PATTERN }).refine((given) => compilePattern(given) !== null, PATTERN),
      isPath: false,
      isPattern: true,
      compile(operand) {
        const matches = typeof operand === 'string' ? compilePattern(operand) : null;
        return (value) => typeof value === 'string' && matches !== null && matches(value);
      },
    },
  ],
  ['is_present', check((value) => value !== undefined, true)],
  ['is_null', check((value) => value === null)],
  ['is_string', check((value) => text.read(value) !== null)],
  ['is_numeric', check((value) => number.read(value) !== null)],
  ['is_boolean', check((value) => boolean.read(value) !== null)],
  ['is_timestamp', check((value) => timestamp.read(value) !== null)],
]);
