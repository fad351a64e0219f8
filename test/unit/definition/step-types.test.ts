import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { workflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import { agent, choice, map, parallel, parsed, pass, texts, workflow } from './definitions.ts';

const fields = (step: object, others: object = {}) => workflow({ a: step, ...others });
const rule = (given: object) =>
  fields({ type: 'choice', choices: [{ next_step: 'b', ...given }] }, { b: pass() });
const TIMESTAMP = 'expected an RFC 3339 timestamp, such as 2030-01-31T09:00:00Z';

describe('the fields of each type are checked:', () => {
  it.each<[string, unknown, string[]]>([
    [
      'an unknown type, with the one that was probably meant',
      fields({ type: 'chioce', choices: [] }),
      [
        'steps.a.type: expected one of the types agent, choice, parallel, map, wait, signal, workflow, pass, succeed, fail, did you mean "choice"?',
      ],
    ],
    [
      'a type that is no text',
      fields({ type: 5 }),
      [
        'steps.a.type: expected one of the types agent, choice, parallel, map, wait, signal, workflow, pass, succeed, fail',
      ],
    ],
    [
      'a type that objects have by birth',
      fields({ type: 'constructor' }),
      [
        'steps.a.type: expected one of the types agent, choice, parallel, map, wait, signal, workflow, pass, succeed, fail',
      ],
    ],
    [
      'a field of another type',
      fields({ seconds: 5, agent_name: 'x' }),
      ['steps.a.seconds: unknown field of this type: it belongs to "wait"'],
    ],
    [
      'a field of two others',
      fields({ ...pass(), input_mapping: {} }),
      ['steps.a.input_mapping: unknown field of this type: it belongs to "agent" and "workflow"'],
    ],
    [
      'inside',
      fields(map({ b: { type: 'wait', secodns: 1 } })),
      ['steps.a.steps.b.secodns: unknown field, did you mean "seconds"?'],
    ],
    [
      'a retry where nothing can fail',
      fields({ ...pass(), retry: [] }),
      [
        'steps.a.retry: unknown field of this type, which has id, name, description, type, step_type, result, catch, output_mapping, assign, next_step',
      ],
    ],
    [
      'a succeed that goes on',
      fields({ type: 'succeed', next_step: 'b' }, { b: pass() }),
      [
        'steps.a.next_step: unknown field of this type, which has id, name, description, type, step_type, result, catch',
      ],
    ],
    [
      'a fail that goes on',
      fields({ type: 'fail', error_code: 'X', next_step: 'b', catch: [] }, { b: pass() }),
      ['next_step', 'catch'].map(
        (field) =>
          `steps.a.${field}: unknown field of this type, which has id, name, description, type, step_type, error_code, error_message`,
      ),
    ],
    ['a fail without a code', fields({ type: 'fail' }), ['steps.a.error_code: expected text']],

    [
      'a heartbeat of no time',
      fields(agent({ heartbeat_seconds: 0 })),
      ['steps.a.heartbeat_seconds: expected number to be >0'],
    ],
    [
      'a timeout of over a year',
      fields(agent({ timeout_seconds: 31_536_001 })),
      ['steps.a.timeout_seconds: expected number to be <=31536000'],
    ],
    [
      'a timeout that is text',
      fields(agent({ timeout_seconds: '60' })),
      ['steps.a.timeout_seconds: expected number, received string'],
    ],
    [
      'a catch that is no list',
      fields(agent({ catch: { next_step: 'b' } })),
      ['steps.a.catch: expected a list of {codes, next_step}'],
    ],
    [
      'a catch of no codes, without a step',
      fields(agent({ catch: [{ codes: [] }] })),
      ['steps.a.catch.0.codes: expected array to have >=1 items', 'steps.a.catch.0.next_step: expected text'],
    ],
    [
      'an assign that is no object',
      fields(agent({ assign: '$.output' })),
      ['steps.a.assign: expected an object'],
    ],
    [
      "a workflow's timeout of no time",
      workflow({ a: agent() }, { timeout_seconds: -1 }),
      ['timeout_seconds: expected number to be >0'],
    ],

    ['no branches', fields(parallel({})), ['steps.a.branches: expected at least one branch']],
    [
      'branches in a list',
      fields({ type: 'parallel', branches: [] }),
      ['steps.a.branches: expected an object of branches by name'],
    ],
    [
      'a branch without steps',
      fields({ type: 'parallel', branches: { x: { start_step: 'b' } } }),
      ['steps.a.branches.x.steps: expected an object of steps by id'],
    ],
    [
      'a wait for more branches than there are',
      fields(parallel({ x: { b: pass() } }, { wait_for: 2 })),
      ['steps.a.wait_for: expected at most the number of branches, 1, got 2'],
    ],
    [
      'a wait for no branch',
      fields(parallel({ x: { b: pass() } }, { wait_for: 0 })),
      ['steps.a.wait_for: expected number to be >=1'],
    ],
    [
      'a wait for something else',
      fields(parallel({ x: { b: pass() } }, { wait_for: 'most' })),
      ['steps.a.wait_for: expected "all", "any" or a count of branches'],
    ],

    [
      'items that are no path',
      fields(map({ b: pass() }, { items: [1] })),
      ['steps.a.items: expected a path, such as $.workflow_input.items'],
    ],
    [
      'no item at once',
      fields(map({ b: pass() }, { max_concurrency: 0 })),
      ['steps.a.max_concurrency: expected number to be >=1'],
    ],
    [
      'failures below none',
      fields(map({ b: pass() }, { tolerated_failures: -1 })),
      ['steps.a.tolerated_failures: expected number to be >=0'],
    ],
    [
      'failures above all',
      fields(map({ b: pass() }, { tolerated_failure_percentage: 100.1 })),
      ['steps.a.tolerated_failure_percentage: expected number to be <=100'],
    ],
    [
      'a map without anything',
      fields({ type: 'map' }),
      [
        'steps.a.items: expected a path, such as $.workflow_input.items',
        'steps.a.start_step: expected text',
        'steps.a.steps: expected an object of steps by id',
      ],
    ],

    ['a wait for nothing', fields({ type: 'wait' }), ['steps.a: expected either "seconds" or "until"']],
    [
      'a wait for both',
      fields({ type: 'wait', seconds: 1, until: '2030-01-01T00:00:00Z' }),
      ['steps.a: expected either "seconds" or "until"'],
    ],
    [
      'a wait of less than no time',
      fields({ type: 'wait', seconds: -1 }),
      ['steps.a.seconds: expected number to be >=0'],
    ],
    [
      'a wait of over a year',
      fields({ type: 'wait', seconds: 31_536_001 }),
      ['steps.a.seconds: expected number to be <=31536000'],
    ],
    [
      'a wait in words',
      fields({ type: 'wait', seconds: 'a while' }),
      ['steps.a.seconds: expected a path, such as $.workflow_input.items'],
    ],
    [
      'a wait in a list',
      fields({ type: 'wait', seconds: [] }),
      ['steps.a.seconds: expected a number of seconds, or a path to one'],
    ],
    [
      'a wait until no time',
      fields({ type: 'wait', until: '2030-02-30T00:00:00Z' }),
      [`steps.a.until: ${TIMESTAMP}, or a path`],
    ],

    ['a signal without a name', fields({ type: 'signal' }), ['steps.a.signal: expected text']],
    [
      'a child without a name, of version 0',
      fields({ type: 'workflow', version: 0 }),
      ['steps.a.workflow_name: expected text', 'steps.a.version: expected number to be >=1'],
    ],

    ['no rules', fields({ type: 'choice', choices: [] }), ['steps.a.choices: expected at least one rule']],
    [
      'a rule without anything',
      fields({ type: 'choice', choices: [{}] }),
      ['steps.a.choices.0.next_step: expected text'],
    ],
    [
      'a rule without a condition',
      rule({}),
      ['steps.a.choices.0: expected "variable" and a comparison, or "and", "or" or "not"'],
    ],
    [
      'a variable without a comparison',
      rule({ variable: '$.workflow_input' }),
      ['steps.a.choices.0: expected a comparison beside "variable", such as "string_equals"'],
    ],
    [
      'a comparison without a variable',
      rule({ is_null: true }),
      ['steps.a.choices.0: expected "variable" beside "is_null"'],
    ],
    [
      'two comparisons',
      rule({ variable: '$.workflow_input', is_null: true, is_string: true }),
      [
        'steps.a.choices.0: expected one comparison, or one of "and", "or" and "not", got is_null and is_string',
      ],
    ],
    [
      'a variable beside `not`',
      rule({ variable: '$.workflow_input', not: { variable: '$.workflow_input', is_null: true } }),
      ['steps.a.choices.0: expected no "variable" beside "not"'],
    ],
    [
      'a condition inside that is none',
      rule({ and: [{ or: [{}] }] }),
      ['steps.a.choices.0.and.0.or.0: expected "variable" and a comparison, or "and", "or" or "not"'],
    ],
    [
      'a next_step inside',
      rule({ not: { variable: '$.workflow_input', is_null: true, next_step: 'b' } }),
      ['steps.a.choices.0.not.next_step: unknown field'],
    ],
    [
      'a comparison that is none',
      rule({ variable: '$.workflow_input', string_equal: 'x' }),
      ['steps.a.choices.0.string_equal: unknown field, did you mean "string_equals"?'],
    ],
    [
      'a variable that is no path',
      rule({ variable: 'x', is_null: true }),
      ['steps.a.choices.0.variable: expected a path, such as $.workflow_input.items'],
    ],
    [
      'operands of other types',
      fields(
        {
          type: 'choice',
          choices: [
            { variable: '$.workflow_input', string_equals: 1, next_step: 'b' },
            { variable: '$.workflow_input', numeric_equals: '1', next_step: 'b' },
            { variable: '$.workflow_input', boolean_equals: 'true', next_step: 'b' },
            { variable: '$.workflow_input', timestamp_equals: '2030-01-01', next_step: 'b' },
            { variable: '$.workflow_input', numeric_equals_path: 1, next_step: 'b' },
            { variable: '$.workflow_input', is_null: 'true', next_step: 'b' },
            { variable: '$.workflow_input', string_matches: 'a\\b', next_step: 'b' },
          ],
        },
        { b: pass() },
      ),
      [
        'steps.a.choices.0.string_equals: expected text',
        'steps.a.choices.1.numeric_equals: expected a number',
        'steps.a.choices.2.boolean_equals: expected true or false',
        `steps.a.choices.3.timestamp_equals: ${TIMESTAMP}`,
        'steps.a.choices.4.numeric_equals_path: expected a path, such as $.workflow_input.items',
        'steps.a.choices.5.is_null: expected true or false',
        'steps.a.choices.6.string_matches: expected text in which \\ stands before * or \\ only',
      ],
    ],
    [
      'conditions eleven deep',
      rule(deep(10)),
      [`steps.a.choices.0${'.not'.repeat(10)}: expected at most 10 conditions inside one another`],
    ],
    [
      '1,001 comparisons',
      rule({ or: Array.from({ length: 1_001 }, () => ({ variable: '$.workflow_input', is_null: true })) }),
      ['steps.a.choices.0.or.1000: expected at most 1000 comparisons in a choice'],
    ],
    [
      '101 patterns',
      rule({
        or: Array.from({ length: 101 }, () => ({ variable: '$.workflow_input', string_matches: '*' })),
      }),
      ['steps.a.choices.0.or.100.string_matches: expected at most 100 patterns in a choice'],
    ],

    ...['workflow_input', 'variables', 'item', 'index', 'error', 'output'].map(
      (id): [string, unknown, string[]] => [
        `the id ${id}`,
        fields(map({ [id]: pass() })),
        [
          `steps.a.steps.${id}: expected another id than workflow_input, variables, item, index, error or output`,
        ],
      ],
    ),
  ])('%s', (_, input, expected) => {
    expect(texts(input)).toEqual(expected);
  });
});

function deep(depth: number): object {
  let condition: object = { variable: '$.workflow_input', is_null: true };
  for (let i = 0; i < depth; i++) condition = { not: condition };
  return condition;
}

describe('takes', () => {
  it.each<[string, unknown]>([
    ['conditions ten deep', rule(deep(9))],
    [
      '1,000 comparisons',
      rule({ or: Array.from({ length: 1_000 }, () => ({ variable: '$.workflow_input', is_null: true })) }),
    ],
    ['a literal that looks like a path', rule({ variable: '$.workflow_input', string_equals: '$.[' })],
    ['a wait of no time', fields({ type: 'wait', seconds: 0 })],
    [
      'a wait by paths',
      fields(
        { type: 'wait', seconds: '$.workflow_input.s', next_step: 'b' },
        { b: { type: 'wait', until: '$.workflow_input.u' } },
      ),
    ],
    [
      'ALL',
      fields(agent({ retry: { codes: ['ALL'] }, catch: [{ codes: ['ALL'], next_step: 'b' }] }), {
        b: pass(),
      }),
    ],
    [
      'a retry and a catch of all that can fail',
      fields(
        parallel(
          { x: { b: map({ c: { type: 'workflow', workflow_name: 'w', retry: [] } }, { retry: {} }) } },
          { retry: {}, catch: [] },
        ),
      ),
    ],
  ])('%s', (_, input) => {
    expect(texts(input)).toEqual([]);
  });
});

describe('what is stored', () => {
  it('of agent steps is, byte for byte, what it was before there were others', () => {
    const definition = parsed({
      steps: {
        b: { input_mapping: { z: 1, a: '$.a.output_data' }, agent_name: 'y', id: 'b' },
        a: {
          retry: [{ codes: ['X'] }],
          next_step: 'b',
          timeout_seconds: 5,
          agent_name: 'x',
          step_type: 'ai',
          type: 'agent',
          description: 'd',
          name: 'n',
        },
      },
      retry: { max_attempts: 1 },
      start_step: 'a',
      name: 'w',
    });
    const policy = (codes: string, max_attempts = 3) =>
      `{"max_attempts":${max_attempts},"initial_interval_ms":1000,"backoff_rate":2,"max_interval_ms":60000,"jitter":"full"${codes}}`;
    expect(JSON.stringify(definition)).toBe(
      '{"name":"w","description":null,"start_step":"a","steps":{' +
        '"b":{"id":"b","agent_name":"y","next_step":null,"input_mapping":{"z":1,"a":"$.a.output_data"}},' +
        '"a":{"name":"n","description":"d","type":"agent","step_type":"ai","agent_name":"x","timeout_seconds":5,' +
        `"id":"a","next_step":"b","input_mapping":{},"retry":[${policy(',"codes":["X"]')}]}},` +
        `"retry":${policy('', 1)}}`,
    );
  });

  it('carries ids and next steps in every scope', () => {
    const { steps } = parsed(
      workflow(
        { a: parallel({ x: { b: map({ c: choice(['d']), d: { type: 'succeed' } }) } }) },
        { timeout_seconds: 60 },
      ),
    );
    expect(steps).toEqual({
      a: {
        id: 'a',
        type: 'parallel',
        next_step: null,
        branches: {
          x: {
            start_step: 'b',
            steps: {
              b: {
                id: 'b',
                type: 'map',
                items: '$.workflow_input.items',
                start_step: 'c',
                next_step: null,
                steps: { c: { id: 'c', ...choice(['d']) }, d: { id: 'd', type: 'succeed' } },
              },
            },
          },
        },
      },
    });
  });

  it('is taken again as it is', () => {
    const input = workflow(
      {
        a: parallel({ x: { b: { type: 'wait', seconds: 1 } } }, { next_step: 'c' }),
        c: agent({ timeout_seconds: 1 }),
      },
      { timeout_seconds: 60 },
    );
    const stored = parsed(input);
    expect(parsed(stored)).toEqual(stored);
  });
});

it('every field is described where the schema is published', () => {
  const published = z.toJSONSchema(workflowDefinition, { io: 'input', unrepresentable: 'any' });
  const silent: string[] = [];
  const visit = (schema: unknown, place: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    for (const [key, child] of Object.entries(schema)) {
      if (key === 'properties') {
        for (const [field, property] of Object.entries<{ description?: string; $ref?: string }>(child)) {
          if (property.description === undefined && property.$ref === undefined)
            silent.push(`${place}.${field}`);
        }
      }
      visit(child, `${place}.${key}`);
    }
  };
  visit(published, '');
  expect(silent).toEqual([]);
  expect(Object.keys(published.$defs ?? {})).toEqual(
    expect.arrayContaining(['WorkflowSteps', 'WorkflowStep', 'ChoiceCondition']),
  );
});
