import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createHints } from '../../../shared/validation/nearest-name.ts';
import { problemsOf } from '../../../shared/validation/problems-of.ts';

const policy = z.strictObject({ max_attempts: z.number().optional(), jitter: z.string().optional() });
const schema = z.strictObject({
  title: z.string({ error: 'expected text' }).optional(),
  wrapped: policy.nullable().optional(),
  made: z.strictObject({ count: z.string().optional() }).transform(Object.keys).optional(),
  policies: z.union([policy, z.array(policy)], { error: 'expected a policy, or a list of them' }).optional(),
  steps: z
    .record(
      z.string().max(3, 'expected at most 3 characters'),
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('agent'), agent_name: z.string().optional() }),
        z.strictObject({ type: z.literal('wait'), seconds: z.number().optional() }),
      ]),
    )
    .optional(),
});

function found(input: unknown) {
  const parsed = schema.safeParse(input);
  const problems = parsed.success ? [] : problemsOf(schema, input, parsed.error, { hintOf: createHints() });
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

describe('what is wrong with an input', () => {
  it.each<[what: string, input: unknown, expected: string[]]>([
    [
      'an unknown field, with its nearest name',
      { titel: 'x' },
      ['titel: unknown field, did you mean "title"?'],
    ],
    ['one that is there already is not meant', { title: 'x', titel: 'x' }, ['titel: unknown field']],
    ['several, each where it is', { titel: 1, title: 2 }, ['title: expected text', 'titel: unknown field']],
    ['inside wrappers', { wrapped: { jiter: 1 } }, ['wrapped.jiter: unknown field, did you mean "jitter"?']],
    ['before a transformation', { made: { cuont: 1 } }, ['made.cuont: unknown field, did you mean "count"?']],
    [
      'in the form that was meant: an object',
      { policies: { max_atempts: 1, jitter: 1 } },
      [
        'policies.jitter: expected string, received number',
        'policies.max_atempts: unknown field, did you mean "max_attempts"?',
      ],
    ],
    [
      'in the form that was meant: a list',
      { policies: [{}, { max_attempts: '1', jiter: 1 }] },
      [
        'policies.1.max_attempts: expected number, received string',
        'policies.1.jiter: unknown field, did you mean "jitter"?',
      ],
    ],
    ['in neither form', { policies: 5 }, ['policies: expected a policy, or a list of them']],
    [
      'by its tag, with the names of that kind only',
      { steps: { a: { type: 'wait', second: 1 }, b: { type: 'agent', second: 1 } } },
      ['steps.a.second: unknown field, did you mean "seconds"?', 'steps.b.second: unknown field'],
    ],
    ['a key', { steps: { long: { type: 'wait' } } }, ['steps.long: expected at most 3 characters']],
    ['no object at all', 'text', [': expected object, received string']],
    [
      'names that every object has by birth',
      JSON.parse('{"constructor":1,"toString":{}}'),
      ['constructor: unknown field', 'toString: unknown field'],
    ],
  ])('%s', (_what, input, expected) => {
    expect(found(input)).toEqual(expected);
  });
});

describe('where it is wrong', () => {
  const place = (key: string) => ({ [key]: { made: { cuont: 1 }, titel: 1 } });
  const bag = z.record(z.string(), schema);
  const paths = (key: string) => {
    const input = place(key);
    const parsed = bag.safeParse(input);
    return parsed.success
      ? []
      : problemsOf(bag, input, parsed.error, { hintOf: createHints() }).map(({ path }) => path);
  };

  it('is told with a key as it is, but for one that is longer than a name', () => {
    expect(paths('k'.repeat(200))).toEqual(
      ['made.cuont', 'titel'].map((rest) => `${'k'.repeat(200)}.${rest}`),
    );
    expect(paths('k'.repeat(201))).toEqual(
      ['made.cuont', 'titel'].map((rest) => `${'k'.repeat(199)}….${rest}`),
    );
  });

  it('takes no memory for each thing that is wrong below a long key', () => {
    const fields = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`a${i}`, 1]));
    const input = { ['k'.repeat(1_500_000)]: fields };
    const parsed = bag.safeParse(input);
    const before = performance.now();
    const found = problemsOf(bag, input, parsed.error!, { hintOf: createHints() });
    expect(found).toHaveLength(40_000);
    expect(found.every(({ path }) => path.length < 300)).toBe(true);
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});

describe('where an unknown field may belong', () => {
  const told = (input: unknown) => {
    const parsed = schema.safeParse(input);
    const whereTo = (field: string) => `it goes in wrapped.${field}`;
    const words = { hintOf: createHints(), whereTo };
    return parsed.success ? [] : problemsOf(schema, input, parsed.error, words).map(({ message }) => message);
  };

  it('is said of those of the root that are like no known one', () => {
    expect(told({ message: 1 })).toEqual(['unknown field: it goes in wrapped.message']);
    expect(told({ titel: 1 })).toEqual(['unknown field, did you mean "title"?']);
    expect(told({ wrapped: { message: 1 } })).toEqual(['unknown field']);
  });

  it('a name of any length is cut', () => {
    const [message] = told({ ['x'.repeat(1_000_000)]: 1 });
    expect(message?.length).toBeLessThan(300);
  });
});
