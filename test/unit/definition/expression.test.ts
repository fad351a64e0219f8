import { describe, expect, it } from 'vitest';
import { createExpressionCompiler } from '../../../shared/definition/expression.ts';
import { compareText } from '../../../shared/definition/json-comparison.ts';
import { ExpressionError } from '../../../shared/definition/json-path.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { Expression, Reads, Scope } from '../../../shared/engine/plan.ts';

function scope(given: { workflowInput?: Json; variables?: Json; outputs?: Record<string, Json> }): Scope {
  const { workflowInput = null, variables = null, outputs = {} } = given;
  return { workflowInput, variables, outputs: new Map(Object.entries(outputs)) };
}

function compileMapping(mapping: Json): Expression {
  return createExpressionCompiler().mapping(mapping);
}

function evaluate(mapping: Json, given: Parameters<typeof scope>[0]): Json {
  return compileMapping(mapping).evaluate(scope(given));
}

function refusal(path: string): string {
  try {
    compileMapping({ x: path });
  } catch (error) {
    expect(error).toBeInstanceOf(ExpressionError);
    expect(error).toMatchObject({ code: 'EXPRESSION_ERROR' });
    return (error as Error).message;
  }
  throw new Error(`${path} was not refused`);
}

describe('literals', () => {
  it.each<Json>([
    '$5.00',
    '$',
    '$x',
    '',
    ' $.workflow_input',
    '$$.a',
    'a $.workflow_input',
    0,
    null,
    false,
    {},
    [],
  ])('%j stands for itself', (literal) => {
    expect(evaluate({ x: literal }, {})).toEqual({ x: literal });
    expect(compileMapping({ x: literal }).reads).toEqual({
      workflowInput: false,
      variables: false,
      item: false,
      error: false,
      steps: [],
    });
  });

  it.each([
    ['\\$.50', '$.50'],
    ['\\$.workflow_input', '$.workflow_input'],
    ['\\$[0]', '$[0]'],
    ['\\\\$.50', '\\$.50'],
    ['\\\\\\$[', '\\\\$['],
    ['\\$.', '$.'],
    ['\\$5.00', '\\$5.00'],
    ['\\', '\\'],
    ['\\\\', '\\\\'],
    ['a\\$.b', 'a\\$.b'],
    ['\\n', '\\n'],
  ])('%s is the text %s: a backslash before what would be a path', (written, text) => {
    expect(evaluate({ x: [written] }, { workflowInput: 1 })).toEqual({ x: [text] });
    expect(evaluate(written, { workflowInput: 1 })).toBe(text);
    expect(compileMapping(written).reads).toMatchObject({ workflowInput: false, steps: [] });
  });

  it('what was probably meant as text is told how to be written', () => {
    const hint = /; text that begins so has a backslash before it: "\\\\\$\.50" in JSON is \$\.50$/;
    for (const text of ['$.50', '$.', '$.price', '$[draft] to do']) expect(refusal(text)).toMatch(hint);
    expect(refusal('$.workflow_input..a..b')).not.toMatch(hint);
    const problems: string[] = [];
    createExpressionCompiler({ onProblem: (_, message) => problems.push(message) }).selection('$.50');
    expect(problems).toHaveLength(1);
    expect(problems[0]).not.toMatch(hint);
  });

  it('and paths mix at any depth', () => {
    const mapping = {
      a: ['$.workflow_input.n', { b: '$5.00', c: '$.variables.v' }],
      d: { e: '$.s.output_data' },
    };
    expect(evaluate(mapping, { workflowInput: { n: 1 }, variables: { v: 2 }, outputs: { s: [3] } })).toEqual({
      a: [1, { b: '$5.00', c: 2 }],
      d: { e: [3] },
    });
  });

  it('keep the keys that objects have by birth', () => {
    expect(evaluate({ constructor: 1, toString: '$.workflow_input' }, { workflowInput: 2 })).toEqual({
      constructor: 1,
      toString: 2,
    });
  });
});

describe('a singular path', () => {
  const workflowInput = { a: { b: [1, { c: null }, 'text'] }, 'x y': 2, '': 3, "it's": 4 };

  it.each<[string, Json]>([
    ['$.workflow_input', workflowInput],
    ['$.workflow_input.a.b[0]', 1],
    ['$.workflow_input.a.b[1].c', null],
    ['$.workflow_input.a.b[-1]', 'text'],
    ["$['workflow_input']['x y']", 2],
    ["$.workflow_input['']", 3],
    ["$.workflow_input['it\\'s']", 4],
    ['$.workflow_input["it\'s"]', 4],
  ])('%s yields its value', (path, expected) => {
    expect(evaluate(path, { workflowInput })).toEqual(expected);
  });

  it.each([
    '$.workflow_input.no',
    '$.workflow_input.no.more',
    '$.workflow_input.a.b[3]',
    '$.workflow_input.a.b[-4]',
    '$.workflow_input.a[0]',
    '$.workflow_input.a.b.length',
    '$.workflow_input.a.b[2][0]',
    '$.workflow_input.a.b[2].length',
    '$.workflow_input.constructor',
    '$.workflow_input.a.__proto__',
    '$.workflow_input.a.b[1].c.d',
    '$.variables.a',
    '$.never.output_data',
  ])('%s selects nothing and yields null', (path) => {
    expect(evaluate(path, { workflowInput })).toBeNull();
  });
});

describe('a path that may select several', () => {
  const workflowInput = {
    items: [{ k: 1, price: 5, tags: ['a', 'b'] }, { k: 2, price: 12 }, { k: '2', price: '12' }, null, 'text'],
  };

  it.each<[string, Json]>([
    ['$.workflow_input.items[*].k', [1, 2, '2']],
    ['$.workflow_input.items[0:2].price', [5, 12]],
    ['$.workflow_input.items[::-2]', ['text', { k: '2', price: '12' }, workflowInput.items[0] as Json]],
    ['$.workflow_input.items[0, -1]', [workflowInput.items[0] as Json, 'text']],
    ['$.workflow_input..tags[1]', ['b']],
    ['$.workflow_input.no[*]', []],
    ['$.workflow_input.*.constructor', []],
    ["$.workflow_input['constructor', 'toString']", []],
    ['$.workflow_input.items[?@.price > 10].k', [2]],
    ['$.workflow_input.items[?@.tags].k', [1]],
    ['$.workflow_input.items[?!@.tags && @.k].k', [2, '2']],
    ["$.workflow_input.items[?@.price == '12' || @.price == 5].k", [1, '2']],
    ['$.workflow_input.items[?@.no > 1]', []],
    ['$.workflow_input.items[?@.k == $.variables.wanted].price', [12]],
    ['$.workflow_input.items[?@.k == $.pick.output_data.k].price', [5]],
    ['$.workflow_input.items[?@.k == $.never.output_data]', [null, 'text']],
    ['$.workflow_input.items[?length(@.tags) == 2].k', [1]],
    ['$.workflow_input.items[?count(@.*) == 2].k', [2, '2']],
    ['$.workflow_input.items[?@.tags[?@ == "b"]].k', [1]],
  ])('%s yields %j', (path, expected) => {
    expect(evaluate(path, { workflowInput, variables: { wanted: 2 }, outputs: { pick: { k: 1 } } })).toEqual(
      expected,
    );
  });
});

describe('filters compare by value, as RFC 9535 has it', () => {
  const pairs = (...given: [Json, Json][]) => ({ list: given.map(([a, b]) => ({ a, b })) });
  const kept = (condition: string, ...given: [Json, Json][]) =>
    (evaluate(`$.workflow_input.list[?${condition}]`, { workflowInput: pairs(...given) }) as Json[]).length;

  // U+FF5E is before U+1F600, though its code unit is after the first of that pair's.
  it.each<[string, Json, Json, boolean]>([
    ['@.a < @.b', '\uff5e', '😀', true],
    ['@.a > @.b', '\uff5e', '😀', false],
    ['@.a <= @.b', '😀', '\uff5e', false],
    ['@.a >= @.b', '😀', '\uff5e', true],
    ['@.a < @.b', 'a😀', 'a😁', true],
    ['@.a < @.b', '😀', '😀a', true],
    ['@.a < @.b', '', 'a', true],
    ['@.a < @.b', '😀', '😀', false],
    ['@.a <= @.b', '😀', '😀', true],
    ["@.a < '😀'", '\uff5e', null, true],
    ["@.a == '\\uD83D\\uDE00'", '😀', null, true],
    ['length(@.a) == 1', '😀', null, true],
    ['length(@.a) == 3', 'a😀b', null, true],
    ['length(@.a) == 4', 'e\u0301👍🏽', null, true],
    ['length(@.a) == 0', '', null, true],
    ['length(@.a) == length(@.b)', '😀😀', 'ab', true],
    ['length(@.a) == 2', { x: 1, y: 2 }, null, true],
    ['length(@.a) == 2', [1, 2], null, true],
    // What has no length, or is not there, is nothing, and so equal to nothing.
    ['length(@.a) == length(@.b)', 1, true, true],
    ['length(@.a) == @.c', 1, null, true],
    ['length(@.a) < 1', 1, null, false],
    ['@.c == @.d', 1, 1, true],
    ['@.c <= @.d', 1, 1, true],
    ['@.c < @.d', 1, 1, false],
    ['@.a != @.c', null, null, true],
    ['@.a <= @.b', null, null, true],
    ['@.a <= @.b', true, true, true],
    ['@.a < @.b', false, true, false],
    ['@.a < @.b', '1', 2, false],
    ['@.a == @.b', { x: [1, { y: null }], z: '😀' }, { z: '😀', x: [1, { y: null }] }, true],
    ['@.a == @.b', { x: 1 }, { y: 1 }, false],
    ['@.a == @.b', [1, 2], [2, 1], false],
    ['@.a == @.b', [], {}, false],
    ['@.a == @.b', null, {}, false],
    ['@.a == @.b', JSON.parse('{"__proto__":{}}'), { x: 1 }, false],
    ['@.a == @.b', JSON.parse('{"__proto__":{}}'), JSON.parse('{"__proto__":{}}'), true],
    ['@.a == @.b', { constructor: 1 }, { toString: 1 }, false],
    // A value that looks like the library's list of nodes.
    ['@.a == @.c', { nodes: [] }, null, false],
    ['@.a == -0', 0, null, true],
    ["@.a[?@ < '😀'] && @.b", ['\uff5e'], 1, true],
    ["!(@.a < '😀')", '\uff5e', null, false],
    ["count(@.a[?@ < '😀']) == 1", ['\uff5e', 'z', '😁'], null, false],
    ["count(@.a[?@ < '😀']) == 2", ['\uff5e', 'z', '😁'], null, true],
  ])('%s of %j and %j: %j', (condition, a, b, expected) => {
    expect(kept(condition, [a, b])).toBe(expected ? 1 : 0);
  });

  it('orders texts as UTF-8 orders their bytes', () => {
    const characters = ['\u0000', 'a', 'é', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '😀', '\u{10ffff}'];
    const texts = characters.flatMap((one) => ['', ...characters].map((other) => one + other));
    for (const a of texts)
      for (const b of texts)
        expect(Math.sign(compareText(a, b)), JSON.stringify([a, b])).toBe(
          Buffer.compare(Buffer.from(a), Buffer.from(b)),
        );
  });
});

describe('what lies deep', () => {
  const nested = (depth: number): Json => {
    let value: Json = { x: 1 };
    for (let i = 1; i < depth; i++) value = i % 2 ? [value] : { in: value };
    return value;
  };

  it('is found by .. as deep as data may be', () => {
    expect(evaluate('$.workflow_input..x', { workflowInput: nested(100) })).toEqual([1]);
    expect(evaluate('$.s.output_data..x', { outputs: { s: nested(100) } })).toEqual([1]);
  });
});

describe('step ids', () => {
  it.each<[string, string]>([
    ["$['my-step'].output_data.x", 'my-step'],
    ['$["my-step"].output_data.x', 'my-step'],
    ["$['a step.with $ signs']['output_data']['x']", 'a step.with $ signs'],
    ['$.toString.output_data.x', 'toString'],
    ["$['constructor'].output_data.x", 'constructor'],
    ['$.ünïcode.output_data.x', 'ünïcode'],
    ["$['1'].output_data.x", '1'],
  ])('%s reads %s', (path, stepId) => {
    expect(evaluate(path, { outputs: { [stepId]: { x: 7 } } })).toBe(7);
    expect(compileMapping(path).reads.steps).toEqual([stepId]);
  });
});

describe('what a mapping reads is known when it is compiled', () => {
  it.each<[Json, Partial<Reads>]>([
    [{}, {}],
    ['$.workflow_input.a', { workflowInput: true }],
    ['$.variables', { variables: true }],
    [{ x: '$.a.output_data', y: ['$.b.output_data.z', '$.a.output_data.q'] }, { steps: ['a', 'b'] }],
    [
      '$.workflow_input[?@.x == $.a.output_data && @[?@.y == $.variables.v]]',
      { workflowInput: true, variables: true, steps: ['a'] },
    ],
    ['$.a.output_data[?length($.b.output_data) > 1]', { steps: ['a', 'b'] }],
    ['$.item.a', { item: true }],
    ['$.index', { item: true }],
    ["$['error'].code", { error: true }],
    ['$.workflow_input[?@ == $.item]', { workflowInput: true, item: true }],
    ['$.output.x', {}],
  ])('%j', (mapping, reads) => {
    expect(compileMapping(mapping).reads).toEqual({
      workflowInput: false,
      variables: false,
      item: false,
      error: false,
      steps: [],
      ...reads,
    });
  });

  it('and nothing else is seen', () => {
    expect(evaluate('$.a.output_data[?$.b.output_data]', { outputs: { a: [1], b: 1, c: 2 } })).toEqual([1]);
    expect(evaluate('$.a.output_data..c', { outputs: { a: {}, c: 2 }, workflowInput: { c: 3 } })).toEqual([]);
  });
});

describe('refused, with the place in the mapping', () => {
  it.each([
    ['$.', /^x: expected a JSONPath \(RFC 9535; .*\), got "\$\.": /],
    ['$[', /^x: expected a JSONPath .*, got "\$\[": /],
    ['$.workflow_input[?]', /^x: expected a JSONPath /],
    ['$.workflow_input[?@.a = 1]', /^x: expected a JSONPath /],
    ["$.workflow_input[?match(@.a, '(a+)+')]", /no such function 'match'/],
    ["$.workflow_input[?search(@.a, '(a+)+')]", /no such function 'search'/],
    ['$.workflow_input[9007199254740993]', /index out of range/],
    ['$.workflow_input[?@.a == $.variables..b]', /^x: expected a JSONPath /],
  ])('%s', (path, message) => {
    expect(refusal(path)).toMatch(message);
  });

  it.each([
    '$.*',
    '$[0]',
    '$..a',
    '$[?@.a]',
    '$.workflow',
    '$.a',
    '$.a.input_data',
    "$['a', 'b'].output_data",
    '$.a..output_data',
    '$.a[0]',
  ])('%s, which begins with nothing that a run has', (path) => {
    expect(refusal(path)).toMatch(
      /^x: expected a path that begins \$\.workflow_input…, .* or \$\.<step_id>\.output_data…, got /,
    );
  });

  it.each([
    ['$.workflow_input..a..b', 'x: expected at most one ".." in "$.workflow_input..[\'a\']..[\'b\']"'],
    ['$.workflow_input..[?@..a]', 'x: expected at most one ".." in "$.workflow_input..[?@..[\'a\']]"'],
    [
      '$.workflow_input[?count($.variables..b) > 1]',
      'x: expected a path to one value inside a filter, got "$.variables..[\'b\']"',
    ],
    [
      '$.workflow_input[?@[?$.variables[*]]]',
      'x: expected a path to one value inside a filter, got "$.variables[*]"',
    ],
    [
      '$.workflow_input[0,0][0,0][0,0][0,0][0,0][0,0][0,0]',
      'x: expected at most 64 combinations of selectors in "$.workflow_input[0, 0][0, 0][0, 0][0, 0][0, 0][0, 0][0, 0]", got 128',
    ],
  ])('%s, whose cost grows past its data', (path, message) => {
    expect(refusal(path)).toBe(message);
  });

  it('the 101st path of a mapping that walks all of the data', () => {
    const walks = (count: number) => ({ x: Array.from({ length: count }, () => '$.workflow_input..*') });
    expect(() => compileMapping(walks(100))).not.toThrow();
    expect(() => compileMapping(walks(101))).toThrow(
      'x.100: expected at most 100 paths in a step that may select several values',
    );
  });

  it('a path of over 2,000 characters; and what nests as deep as 2,000 allow is evaluated', () => {
    const parentheses = (count: number) => `$.workflow_input[?${'('.repeat(count)}@.a${')'.repeat(count)}]`;
    expect(refusal(parentheses(990))).toBe(
      'x: expected a JSONPath of at most 2000 characters, got 2002; text that begins so has a backslash before it: "\\\\$.50" in JSON is $.50',
    );
    expect(evaluate(parentheses(989), { workflowInput: [{ a: 1 }, {}] })).toEqual([{ a: 1 }]);
  });
});
