import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';
import { agent, choice, map, parallel, pass, problemsOf, texts, workflow } from './definitions.ts';

const caught = (next_step: string, codes?: string[]) => ({ catch: [{ next_step, ...(codes && { codes }) }] });

describe('takes', () => {
  it.each<[string, unknown]>([
    [
      'a loop that a choice leaves',
      workflow({ a: agent({ next_step: 'b' }), b: choice(['a'], 'c'), c: { type: 'succeed' } }),
    ],
    ['a loop that a catch leaves', workflow({ a: agent({ next_step: 'a', ...caught('b') }), b: pass() })],
    ['a step that only a catch leads to', workflow({ a: agent(caught('b')), b: pass() })],
    [
      'steps that only a choice leads to',
      workflow({ a: choice(['b', 'c', 'b'], 'd'), b: pass(), c: pass(), d: pass() }),
    ],
    ['branches that meet', workflow({ a: choice(['b'], 'c'), b: pass('d'), c: pass('d'), d: pass() })],
    ['a choice that leads to itself, and away', workflow({ a: choice(['a', 'b']), b: pass() })],
    [
      'scopes in scopes',
      workflow({ a: parallel({ x: { b: map({ c: pass('d'), d: pass() }) }, y: { e: pass() } }) }),
    ],
    [
      'ids that are anything',
      workflow(
        {
          'a/b#1': pass('constructor'),
          constructor: parallel({ 'x/y#2': { toString: pass('%'), '%': pass() } }),
        },
        { start_step: 'a/b#1' },
      ),
    ],
    ['ten inside one another', workflow(nested(10))],
    ['5,000 in all', workflow({ a: parallel({ x: chain('x', 2_500), y: chain('y', 2_499) }) })],
  ])('%s', (_, input) => {
    expect(texts(input)).toEqual([]);
  });
});

describe('names a step that leads where it may not:', () => {
  it.each<[string, unknown, string[]]>([
    [
      'nowhere, by any field',
      workflow({
        a: choice(['bb', 'b', 'x'], 'c', caught('y')),
        b: agent({ next_step: 'z', ...caught('q') }),
      }),
      [
        'steps.a.choices.0.next_step: expected the id of a step, got "bb"',
        'steps.a.choices.2.next_step: expected the id of a step, got "x"',
        'steps.a.default_next_step: expected the id of a step, got "c"',
        'steps.a.catch.0.next_step: expected the id of a step, got "y"',
        'steps.b.next_step: expected the id of a step or null, got "z"',
        'steps.b.catch.0.next_step: expected the id of a step, got "q"',
      ],
    ],
    [
      'nowhere, inside',
      workflow({ a: parallel({ x: { extract: pass('transfrom'), transform: pass() } }) }),
      [
        'steps.a.branches.x.steps.extract.next_step: expected the id of a step or null, got "transfrom", did you mean "transform"?',
      ],
    ],
    [
      'from outside to inside, from inside to outside, and to a sibling',
      workflow({
        a: parallel({ x: { b: pass('z') }, y: { c: pass('b') } }, { next_step: 'b' }),
        z: pass(),
      }),
      [
        'steps.a.next_step: expected the id of a step or null of the same scope, got "b", which is steps.a.branches.x.steps.b',
        'steps.a.branches.x.steps.b.next_step: expected the id of a step or null of the same scope, got "z", which is steps.z',
        'steps.a.branches.y.steps.c.next_step: expected the id of a step or null of the same scope, got "b", which is steps.a.branches.x.steps.b',
      ],
    ],
    [
      'a start of another scope, and of none',
      workflow({ a: map({ b: pass() }, { start_step: 'a' }), c: pass() }, { start_step: 'b' }),
      [
        'start_step: expected the id of a step of the same scope, got "b", which is steps.a.steps.b',
        'steps.a.start_step: expected the id of a step of the same scope, got "a", which is steps.a',
      ],
    ],
    [
      'an id that another scope has',
      workflow({
        a: parallel({ x: { b: pass() }, y: { b: pass() } }, { next_step: 'c' }),
        c: map({ a: pass() }),
      }),
      [
        'steps.a.branches.y.steps.b: expected an id that no other step has, got "b", which is steps.a.branches.x.steps.b',
        'steps.c.steps.a: expected an id that no other step has, got "a", which is steps.a',
      ],
    ],
    [
      'no steps',
      workflow({ a: parallel({ x: {} }, { next_step: 'b' }), b: { ...map({}), start_step: 'c' } }),
      [
        'steps.a.branches.x.start_step: expected text',
        'steps.a.branches.x.steps: expected at least one step',
        'steps.b.steps: expected at least one step',
      ],
    ],
  ])('%s', (_, input, expected) => {
    expect(texts(input)).toEqual(expected);
  });
});

describe('names a way that is none:', () => {
  const noEnd = (to: string) =>
    `expected a way to the end, but "${to}" leads back here: the workflow would never end`;

  it.each<[string, unknown, string[]]>([
    [
      'a loop through a choice without a way out',
      workflow({ a: pass('b'), b: choice(['c', 'd']), c: pass('b'), d: pass('c') }),
      [`steps.c.next_step: ${noEnd('b')}`],
    ],
    [
      'one behind a choice, the other ways end',
      workflow({ a: choice(['b'], 'c'), b: pass(), c: pass('d'), d: pass('c') }),
      [`steps.d.next_step: ${noEnd('c')}`],
    ],
    [
      'a choice that leads to itself only',
      workflow({ a: choice(['a'], 'a') }),
      [`steps.a.choices.0.next_step: ${noEnd('a')}`],
    ],
    [
      'a loop by a catch',
      workflow({ a: agent({ next_step: 'b' }), b: choice(['a'], 'a', caught('a')) }),
      [`steps.b.choices.0.next_step: ${noEnd('a')}`],
    ],
    [
      'two loops',
      workflow({ a: choice(['b'], 'c'), b: pass('b'), c: pass('c') }),
      [`steps.b.next_step: ${noEnd('b')}`, `steps.c.next_step: ${noEnd('c')}`],
    ],
    [
      'a loop inside',
      workflow({ a: map({ b: pass('c'), c: pass('b') }) }),
      [`steps.a.steps.c.next_step: ${noEnd('b')}`],
    ],
    [
      'what no way leads to, in each scope',
      workflow({
        a: parallel({ x: { b: pass(), c: pass('d'), d: pass() } }),
        e: choice(['f'], 'e'),
        f: pass(),
      }),
      [
        'steps.e: no way leads here from start_step "a"',
        'steps.a.branches.x.steps.c: no way leads here from start_step "b"',
      ],
    ],
    [
      'what comes after the end',
      workflow({ a: pass('b'), b: { type: 'fail', error_code: 'X' }, c: pass() }),
      ['steps.c: no way leads here from start_step "a"'],
    ],
    [
      'eleven inside one another',
      workflow(nested(11)),
      [
        `steps.a${Array.from({ length: 10 }, (_, i) => `.steps.a${i + 1}`).join('')}: expected at most 10 parallel and map steps inside one another`,
      ],
    ],
    [
      'too many steps in all',
      workflow({ a: parallel({ x: chain('x', 2_500), y: chain('y', 2_500) }) }),
      ['steps: expected at most 5000 steps, got 5001'],
    ],
  ])('%s', (_, input, expected) => {
    expect(texts(input)).toEqual(expected);
  });
});

/** Maps inside one another, `a` outermost. */
function nested(depth: number): object {
  let steps: object = { z: pass() };
  for (let i = depth - 1; i >= 0; i--) steps = { [i === 0 ? 'a' : `a${i}`]: map(steps) };
  return steps;
}

function chain(prefix: string, length: number): object {
  return Object.fromEntries(
    Array.from({ length }, (_, i) => [`${prefix}${i}`, pass(i + 1 < length ? `${prefix}${i + 1}` : null)]),
  );
}

describe('tells only what is wrong in itself:', () => {
  it.each<[string, unknown, string[]]>([
    [
      'not what a wrong choice may have led to',
      workflow({ a: { type: 'choice', choices: 'x' }, b: pass() }),
      ['steps.a.choices'],
    ],
    [
      'not what a step of an unknown type may lead to',
      workflow({ a: { type: 'jump', to: 'b' }, b: pass() }),
      ['steps.a.type'],
    ],
    [
      'where a step of an unknown type leads all the same',
      workflow({ a: { type: 'pas', next_step: 'b' }, b: pass() }),
      ['steps.a.type'],
    ],
    [
      'not the end that a lost catch may be',
      workflow({ a: agent({ next_step: 'a', ...caught('x') }) }),
      ['steps.a.catch.0.next_step'],
    ],
    [
      'in its scope only',
      workflow({ a: map({ b: pass('x'), c: pass() }), d: pass() }),
      ['steps.a.steps.b.next_step', 'steps.d'],
    ],
  ])('%s', (_, input, expected) => {
    expect(problemsOf(input).map(({ path }) => path)).toEqual(expected);
  });
});

it('JSON that nests a hundred deep is no deeper than that', () => {
  let steps: object = { z: pass() };
  for (let i = 0; i < 45; i++) steps = { [`s${i}`]: map(steps) };
  expect(texts(workflow(steps, { start_step: 's44' }))[0]).toMatch(
    /expected at most 10 parallel and map steps/,
  );
});

describe('takes no time that could be felt', () => {
  const ids = Array.from({ length: 4_999 }, (_, i) => `s${i}`);
  const timed = (steps: object) => {
    let found: ReturnType<typeof problemsOf> = [];
    const ms = cpuMsOf(() => {
      found = problemsOf(workflow(steps, { start_step: 's0' }));
    });
    return { found, ms };
  };

  it('over 4,999 steps that each read the first and lead back to it', () => {
    const steps = ids.map((id, i) => [
      id,
      i % 2 === 0 && i + 1 < ids.length
        ? agent({ next_step: ids[i + 1], ...(i > 0 && { input_mapping: { x: '$.s0.output_data' } }) })
        : choice(['s0'], ids[i + 1] ?? 'end'),
    ]);
    const { found, ms } = timed({
      ...Object.fromEntries(steps),
      s4998: pass('end'),
      end: { type: 'succeed' },
    });
    expect(found).toEqual([]);
    expect(ms).toBeLessThan(10_000);
  });

  it('over choices of many rules that lead everywhere, each reading what some way leaves out', () => {
    const steps = ids.slice(0, 60).map((id, i) => [
      id,
      choice(
        Array.from({ length: 200 }, (_, k) => `s${(i * 7 + k) % 60}`),
        'end',
      ),
    ]);
    const reading = { type: 'succeed', result: ids.slice(0, 60).map((id) => `$.${id}.output_data`) };
    const { found, ms } = timed({ ...Object.fromEntries(steps), end: reading });
    expect(found).toHaveLength(59);
    expect(ms).toBeLessThan(10_000);
  });
});

describe('names of nested steps', () => {
  const nested = (length: number) => {
    const id = (depth: number) => `${depth}-${'ä'.repeat(length)}`;
    let steps: object = { work: { agent_name: 'x' } };
    let start = 'work';
    for (let depth = 0; depth < 4; depth++) {
      steps = { [id(depth)]: { type: 'map', items: '$.workflow_input', start_step: start, steps } };
      start = id(depth);
    }
    return parseDefinition({ name: 'w', start_step: start, steps });
  };

  it('are refused where they come to more than an index takes', () => {
    expect(nested(50)).toMatchObject({ ok: true });
    expect(nested(120)).toMatchObject({
      ok: false,
      problems: [{ message: expect.stringContaining('expected shorter names') }],
    });
  });
});
