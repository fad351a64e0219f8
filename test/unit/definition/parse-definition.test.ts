import { describe, expect, it } from 'vitest';
import {
  type DefinitionProblem,
  parseDefinition,
  parseWorkflowPlan,
} from '../../../shared/definition/parse-definition.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

/** The sources' example. */
const dataPipeline = {
  name: 'data-pipeline',
  start_step: 'extract',
  steps: {
    extract: {
      id: 'extract',
      agent_name: 'data-extractor',
      next_step: 'transform',
      input_mapping: { source: '$.workflow_input.source_url' },
    },
    transform: {
      id: 'transform',
      agent_name: 'data-transformer',
      next_step: null,
      input_mapping: { data: '$.extract.output_data' },
    },
  },
};

const step = (given: object = {}) => ({ agent_name: 'agent', ...given });
const workflow = (steps: unknown, given: object = {}) => ({ name: 'w', start_step: 'a', steps, ...given });
const mapping = (input_mapping: unknown) => workflow({ a: step({ input_mapping }) });
const chain = (length: number) =>
  Object.fromEntries(
    Array.from({ length }, (_, i) => [`s${i}`, step({ next_step: i + 1 < length ? `s${i + 1}` : null })]),
  );
const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
/** As it comes over the wire: what only JSON text can say. */
const json = (text: string) => JSON.parse(text) as unknown;

function problemsOf(input: unknown): readonly DefinitionProblem[] {
  const parsed = parseDefinition(input);
  return parsed.ok ? [] : parsed.problems;
}

describe('parseDefinition takes', () => {
  it("the sources' example, as it is", () => {
    expect(parseDefinition(dataPipeline)).toEqual({
      ok: true,
      definition: { ...dataPipeline, description: null },
    });
  });

  it('the least that a workflow can be, and fills in what it leaves out', () => {
    expect(parseDefinition(workflow({ a: step() }))).toEqual({
      ok: true,
      definition: {
        name: 'w',
        description: null,
        start_step: 'a',
        steps: { a: { id: 'a', agent_name: 'agent', next_step: null, input_mapping: {} } },
      },
    });
  });

  it('everything that a workflow can have', () => {
    const parsed = parseDefinition({
      name: 'Übersicht 1',
      description: 'what it does',
      start_step: 'a b',
      retry: { max_attempts: 5 },
      steps: {
        'a b': {
          id: 'a b',
          name: 'First',
          description: 'does it',
          type: 'agent',
          step_type: 'agent_x',
          agent_name: 'agent',
          next_step: null,
          input_mapping: { price: '$5.00', n: 1e300, list: [null, true, { x: '$.workflow_input' }] },
          retry: [{ codes: ['TIMEOUT'], jitter: 'none' }],
          timeout_seconds: 0.5,
        },
      },
    });
    expect(parsed).toMatchObject({
      ok: true,
      definition: {
        retry: {
          max_attempts: 5,
          initial_interval_ms: 1_000,
          backoff_rate: 2,
          max_interval_ms: 60_000,
          jitter: 'full',
        },
        steps: {
          'a b': {
            timeout_seconds: 0.5,
            step_type: 'agent_x',
            retry: [{ codes: ['TIMEOUT'], max_attempts: 3 }],
          },
        },
      },
    });
  });

  it.each([
    ['5,000 steps', workflow(chain(5_000), { start_step: 's0' })],
    ['nesting of 100', mapping({ d: nested(96) })],
    [
      'ids that objects have by birth',
      workflow(
        { constructor: step({ next_step: 'toString' }), toString: step() },
        { start_step: 'constructor' },
      ),
    ],
    ['an empty list of retry policies', workflow({ a: step({ retry: [] }) })],
    ['an astral character', mapping({ x: '😀' })],
  ])('%s', (_, input) => {
    expect(problemsOf(input)).toEqual([]);
  });
});

describe('parseDefinition names the place and what was expected:', () => {
  it.each<[string, unknown, DefinitionProblem[]]>([
    ['not an object', 'text', [{ path: '', message: 'expected object, received string' }]],
    ['a list', [], [{ path: '', message: 'expected object, received array' }]],
    [
      'nothing in it',
      {},
      [
        { path: 'name', message: 'expected text' },
        { path: 'start_step', message: 'expected text' },
        { path: 'steps', message: 'expected an object of steps by id' },
      ],
    ],
    ['no steps', workflow({}), [{ path: 'steps', message: 'expected at least one step' }]],
    [
      'steps in a list',
      workflow([step()]),
      [{ path: 'steps', message: 'expected an object of steps by id' }],
    ],
    [
      '5,001 steps',
      workflow(chain(5_001), { start_step: 's0' }),
      [{ path: 'steps', message: 'expected at most 5000 steps, got 5001' }],
    ],
    [
      'an unknown start_step',
      workflow({ a: step() }, { start_step: 'begin' }),
      [{ path: 'start_step', message: 'expected the id of a step, got "begin"' }],
    ],
    [
      'a start_step that only a prototype has',
      workflow({ a: step() }, { start_step: 'toString' }),
      [{ path: 'start_step', message: 'expected the id of a step, got "toString"' }],
    ],
    [
      'an unknown next_step',
      workflow({ a: step({ next_step: 'c' }) }),
      [{ path: 'steps.a.next_step', message: 'expected the id of a step or null, got "c"' }],
    ],
    [
      'a next_step that only a prototype has',
      workflow({ a: step({ next_step: 'constructor' }) }),
      [{ path: 'steps.a.next_step', message: 'expected the id of a step or null, got "constructor"' }],
    ],
    [
      'a next_step that is no text',
      workflow({ a: step({ next_step: 3 }) }),
      [{ path: 'steps.a.next_step', message: 'expected text' }],
    ],
    [
      "an id that is not the step's key",
      workflow({ a: step({ id: 'b' }) }),
      [{ path: 'steps.a.id', message: 'expected its key "a", got "b"' }],
    ],
    [
      'an unreachable step',
      workflow({ a: step(), b: step() }),
      [{ path: 'steps.b', message: 'no way leads here from start_step "a"' }],
    ],
    [
      'a step that leads to itself',
      workflow({ a: step({ next_step: 'a' }) }),
      [
        {
          path: 'steps.a.next_step',
          message: 'expected a way to the end, but "a" leads back here: the workflow would never end',
        },
      ],
    ],
    [
      'a cycle behind the start',
      workflow({ a: step({ next_step: 'b' }), b: step({ next_step: 'c' }), c: step({ next_step: 'b' }) }),
      [
        {
          path: 'steps.c.next_step',
          message: 'expected a way to the end, but "b" leads back here: the workflow would never end',
        },
      ],
    ],
    [
      'a mapping that reads a later step',
      workflow({ a: step({ next_step: 'b', input_mapping: { x: { y: ['$.b.output_data'] } } }), b: step() }),
      [
        {
          path: 'steps.a.input_mapping.x.y.0',
          message: 'expected a step that completes before "a", got "b"',
        },
      ],
    ],
    [
      'a mapping that reads its own step',
      mapping({ x: '$.a.output_data' }),
      [{ path: 'steps.a.input_mapping.x', message: 'expected a step that completes before "a", got "a"' }],
    ],
    [
      'a mapping that reads no step, also inside a filter',
      mapping({ x: '$.workflow_input[?@.a == $.q.output_data]' }),
      [
        {
          path: 'steps.a.input_mapping.x',
          message: 'expected a step that completes before "a", got "q", which is no step of this workflow',
        },
      ],
    ],
    [
      'a mapping that reads what every object has',
      mapping({ x: '$.__proto__.output_data', y: '$.constructor.output_data' }),
      [
        {
          path: 'steps.a.input_mapping.x',
          message:
            'expected a step that completes before "a", got "__proto__", which is no step of this workflow',
        },
        {
          path: 'steps.a.input_mapping.y',
          message:
            'expected a step that completes before "a", got "constructor", which is no step of this workflow',
        },
      ],
    ],
    [
      'a path that does not parse',
      mapping({ x: { y: ['$.workflow_input.'] } }),
      [
        {
          path: 'steps.a.input_mapping.x.y.0',
          message: expect.stringMatching(
            /^expected a JSONPath \(RFC 9535; .*\$\['my-step'\]\), got "\$\.workflow_input\.": /,
          ),
        },
      ],
    ],
    [
      'a path over the stack of any parser',
      mapping({ x: `$.workflow_input[?${'('.repeat(100_000)}@.a${')'.repeat(100_000)}]` }),
      [
        {
          path: 'steps.a.input_mapping.x',
          message:
            'expected a JSONPath of at most 2000 characters, got 200022; text that begins so has a backslash before it: "\\\\$.50" in JSON is $.50',
        },
      ],
    ],
    [
      'an unknown field',
      workflow({ a: step() }, { stepz: {} }),
      [{ path: 'stepz', message: 'unknown field' }],
    ],
    [
      'unknown fields of a step',
      workflow({ a: step({ agent: 'x', next: null }) }),
      [
        { path: 'steps.a.agent', message: 'unknown field' },
        { path: 'steps.a.next', message: 'unknown field, did you mean "next_step"?' },
      ],
    ],
    [
      'a step without an agent',
      workflow({ a: {} }),
      [{ path: 'steps.a.agent_name', message: 'expected text' }],
    ],
    [
      'an empty agent name',
      workflow({ a: step({ agent_name: '' }) }),
      [{ path: 'steps.a.agent_name', message: 'expected at least one character' }],
    ],
    [
      'a step id that expressions need',
      workflow({ variables: step() }, { start_step: 'variables' }),
      [
        {
          path: 'steps.variables',
          message: 'expected another id than workflow_input, variables, item, index, error or output',
        },
      ],
    ],
    [
      'a step id with a line break',
      workflow({ 'a\n': step() }, { start_step: 'a\n' }),
      [
        { path: 'start_step', message: 'expected no control characters' },
        { path: 'start_step', message: 'expected no space at either end' },
        { path: 'steps.a\n', message: 'expected no control characters' },
      ],
    ],
    [
      'a name of 129 characters',
      workflow({ a: step() }, { name: 'x'.repeat(129) }),
      [{ path: 'name', message: 'expected at most 128 characters' }],
    ],
    [
      'a step type of another kind',
      workflow({ a: step({ type: 'human' }) }),
      [
        {
          path: 'steps.a.type',
          message:
            'expected one of the types agent, choice, parallel, map, wait, signal, workflow, pass, succeed, fail',
        },
      ],
    ],
    [
      'a mapping that is a path itself',
      mapping('$.workflow_input'),
      [{ path: 'steps.a.input_mapping', message: 'expected an object' }],
    ],
    [
      'a retry of no attempts',
      workflow({ a: step({ retry: { max_attempts: 0 } }) }),
      [{ path: 'steps.a.retry.max_attempts', message: 'expected number to be >=1' }],
    ],
    [
      'a timeout of no time',
      workflow({ a: step({ timeout_seconds: 0 }) }),
      [{ path: 'steps.a.timeout_seconds', message: 'expected number to be >0' }],
    ],
    [
      'no step in an invocation',
      workflow({ a: step() }, { steps_per_invocation: 0 }),
      [{ path: 'steps_per_invocation', message: 'expected number to be >=1' }],
    ],
    [
      'more steps in an invocation than any deployment allows',
      workflow({ a: step() }, { steps_per_invocation: 101 }),
      [{ path: 'steps_per_invocation', message: 'expected number to be <=100' }],
    ],
    [
      '`__proto__` in a mapping',
      json(
        '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"x","input_mapping":{"__proto__":{"x":1}}}}}',
      ),
      [{ path: 'steps.a.input_mapping.__proto__', message: 'expected another key than __proto__' }],
    ],
    [
      '`__proto__` as a step',
      json('{"name":"w","start_step":"__proto__","steps":{"__proto__":{"agent_name":"x"}}}'),
      [{ path: 'steps.__proto__', message: 'expected another key than __proto__' }],
    ],
    [
      'U+0000 in a text',
      mapping({ x: ['a\u0000'] }),
      [{ path: 'steps.a.input_mapping.x.0', message: 'expected text without the character U+0000' }],
    ],
    [
      'U+0000 in a key',
      mapping({ 'a\u0000': 1 }),
      [{ path: 'steps.a.input_mapping', message: 'a key here: expected text without the character U+0000' }],
    ],
    [
      'a lone surrogate',
      mapping({ x: 'a\udc00b' }),
      [{ path: 'steps.a.input_mapping.x', message: 'expected well-formed Unicode, got a lone surrogate' }],
    ],
    [
      '1e400',
      json('{"name":"w","start_step":"a","steps":{"a":{"agent_name":"x","input_mapping":{"n":[1e400]}}}}'),
      [
        {
          path: 'steps.a.input_mapping.n.0',
          message: 'expected a number that fits a double (below 1.8e308)',
        },
      ],
    ],
  ])('%s', (_, input, expected) => {
    expect(problemsOf(input)).toEqual(expected);
  });

  it('depth 500', () => {
    expect(problemsOf(mapping({ d: nested(500) }))).toEqual([
      {
        path: `steps.a.input_mapping.d${'.0'.repeat(96)}`,
        message: 'expected at most 100 levels of nesting',
      },
    ]);
  });

  it('depth a million, without a stack to overflow', () => {
    expect(problemsOf(mapping({ d: nested(1_000_000) }))[0]?.message).toBe(
      'expected at most 100 levels of nesting',
    );
  });

  it('everything that is wrong, up to a hundred problems', () => {
    const steps = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`s${i}`, {}]));
    expect(problemsOf(workflow(steps, { start_step: 's0' }))).toHaveLength(100);
  });
});

describe('parseDefinition finds everything at once:', () => {
  it.each<[string, unknown, string[]]>([
    [
      'fields, and the graph of what is right in itself',
      {
        nmae: 'w',
        start_step: 'a',
        steps: {
          a: step({ next_step: 'bb', agent_name: 5, timeout_seconds: -1 }),
          b: step({ id: 'B', input_mapping: { x: '$.q.output_data', y: '$.workflow_input.' } }),
          c: { input_mapping: { z: '$.c.output_data' }, nextstep: null },
        },
      },
      [
        'name: expected text',
        'steps.a.agent_name: expected text',
        'steps.a.timeout_seconds: expected number to be >0',
        'steps.c.agent_name: expected text',
        'steps.c.nextstep: unknown field, did you mean "next_step"?',
        'nmae: unknown field, did you mean "name"?',
        'steps.b.id: expected its key "b", got "B"',
        'steps.a.next_step: expected the id of a step or null, got "bb"',
        'steps.b.input_mapping.x: expected a step that completes before "b", got "q", which is no step of this workflow',
        'steps.b.input_mapping.y: expected a JSONPath',
        'steps.c.input_mapping.z: expected a step that completes before "c", got "c"',
      ],
    ],
    [
      'texts that cannot be stored, each of them, and the rest',
      json(
        '{"name":"a\\u0000","steps":{"a":{"agent_name":"\\ud800","input_mapping":{"n":1e400,"__proto__":1}}}}',
      ),
      [
        'name: expected text without the character U+0000',
        'steps.a.agent_name: expected well-formed Unicode',
        'steps.a.input_mapping.n: expected a number that fits a double',
        'steps.a.input_mapping.__proto__: expected another key than __proto__',
        'start_step: expected text',
      ],
    ],
    [
      'with the name that was probably meant',
      workflow(
        {
          extract: step({ next_step: 'transfrom' }),
          transform: step({ input_mapping: { x: '$.extrct.output_data' } }),
        },
        { start_step: 'Extract' },
      ),
      [
        'start_step: expected the id of a step, got "Extract", did you mean "extract"?',
        'steps.extract.next_step: expected the id of a step or null, got "transfrom", did you mean "transform"?',
        'steps.transform.input_mapping.x: expected a step that completes before "transform", got "extrct", which is no step of this workflow, did you mean "extract"?',
      ],
    ],
    [
      'too many steps, and the rest of the definition',
      workflow(chain(5_001), { name: '' }),
      ['steps: expected at most 5000 steps, got 5001', 'name: expected at least one character'],
    ],
  ])('%s', (_, input, expected) => {
    const found = problemsOf(input).map(({ path, message }) => `${path}: ${message}`);
    expect(found).toEqual(expected.map((text) => expect.stringMatching(startOf(text))));
  });
});

describe('parseDefinition tells nothing that only follows from something else:', () => {
  it.each<[string, unknown, string[]]>([
    [
      'a step behind one that leads nowhere',
      workflow({ a: step({ next_step: 'x' }), b: step({ next_step: 'c' }), c: step() }),
      ['steps.a.next_step'],
    ],
    [
      'a step behind one whose next_step is wrong in itself',
      workflow({ a: step({ next_step: 3 }), b: step() }),
      ['steps.a.next_step'],
    ],
    ['a step behind one that is none', workflow({ a: 'text', b: step() }), ['steps.a']],
    ['any step where the start is wrong', workflow({ a: step() }, { start_step: 7 }), ['start_step']],
    [
      'what comes after an unreachable step',
      workflow({ a: step(), b: step({ next_step: 'c' }), c: step({ next_step: 'd' }), d: step() }),
      ['steps.b'],
    ],
    [
      'the rest of an unreachable circle',
      workflow({ a: step(), b: step({ next_step: 'c' }), c: step({ next_step: 'b' }) }),
      ['steps.b'],
    ],
    [
      'a step behind a loop without a way out',
      workflow({ a: step({ next_step: 'b' }), b: step({ next_step: 'a' }), c: step() }),
      ['steps.b.next_step'],
    ],
    [
      'a mapping that reads an unreachable step',
      workflow({ a: step({ input_mapping: { x: '$.b.output_data' } }), b: step() }),
      ['steps.b'],
    ],
    [
      'what names a step by the id that it gives itself',
      workflow({
        a: step({ next_step: 'B' }),
        b: step({ id: 'B', next_step: 'c' }),
        c: step({ input_mapping: { x: '$.B.output_data' } }),
      }),
      ['steps.b.id'],
    ],
    ['a start among no steps', workflow({}, { start_step: 'x' }), ['steps']],
    [
      'but a mapping that reads what no way before it leads to',
      workflow({
        a: step({ next_step: 'b', input_mapping: { x: '$.c.output_data' } }),
        b: step({ next_step: 'x' }),
        c: step(),
      }),
      ['steps.b.next_step', 'steps.a.input_mapping.x'],
    ],
  ])('%s', (_, input, expected) => {
    expect(problemsOf(input).map(({ path }) => path)).toEqual(expected);
  });

  it('and takes no time that could be felt over the worst of definitions', () => {
    const steps = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [
        `s${i}`,
        step({ next_step: `t${i}`, input_mapping: { x: `$.s${i + 1}.output_data`, y: '$.t.output_data' } }),
      ]),
    );
    const find = () => expect(problemsOf(workflow(steps, { start_step: 's0' }))).toHaveLength(100);
    expect(cpuMsOf(find)).toBeLessThan(10_000);
  });
});

function startOf(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[$.*+?^()[\]{}|\\]/g, '\\$&')}`);
}

describe('parseWorkflowPlan', () => {
  const plan = { workflow_id: 'wf-data-pipeline-1', version: '1', ...dataPipeline };

  it('takes the plan of an execution request as the sources show it, without what names its workflow', () => {
    expect(parseWorkflowPlan(plan)).toEqual({
      ok: true,
      definition: { ...dataPipeline, description: null },
    });
  });

  it.each([[null], ['text'], [[]]])('refuses %j', (input) => {
    expect(parseWorkflowPlan(input)).toEqual({
      ok: false,
      problems: [{ path: '', message: 'expected an object' }],
    });
  });

  it('refuses what a definition may not have', () => {
    expect(parseWorkflowPlan({ ...plan, steps: {} })).toEqual({
      ok: false,
      problems: [{ path: 'steps', message: 'expected at least one step' }],
    });
  });
});
