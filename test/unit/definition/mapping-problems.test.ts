import { describe, expect, it } from 'vitest';
import { agent, choice, map, parallel, pass, texts, workflow } from './definitions.ts';

const reads = (path: string, given: object = {}) => agent({ input_mapping: { x: path }, ...given });
const caught = (next_step: string) => ({ catch: [{ next_step }] });

describe('an expression may read', () => {
  it.each<[string, unknown]>([
    [
      'a step that is on every way to here',
      workflow({
        a: pass('b'),
        b: choice(['c'], 'd'),
        c: pass('e'),
        d: pass('e'),
        e: reads('$.a.output_data'),
      }),
    ],
    [
      'a step of a loop, behind it',
      workflow({ a: pass('b'), b: choice(['a'], 'c'), c: reads('$.a.output_data') }),
    ],
    [
      'a step that may fail, after it completed',
      workflow({
        a: agent({ next_step: 'b', ...caught('f') }),
        b: reads('$.a.output_data'),
        f: { type: 'fail', error_code: 'X' },
      }),
    ],
    [
      'from inside what completed around it, at any depth',
      workflow({
        a: pass('b'),
        b: parallel({
          x: {
            c: pass('d'),
            d: map({
              e: reads('$.a.output_data', { next_step: 'f' }),
              f: pass(null, { result: ['$.c.output_data', '$.e.output_data', '$.item', '$.index'] }),
            }),
          },
        }),
      }),
    ],
    [
      '$.item in a branch of an item',
      workflow({ a: map({ b: parallel({ x: { c: reads('$.item.id') } }) }) }),
    ],
    [
      '$.error behind a catch, in what follows and in what is inside that',
      workflow({
        a: agent(caught('b')),
        b: reads('$.error.code', { next_step: 'c' }),
        c: parallel({ x: { d: reads('$.error.message') } }),
      }),
    ],
    [
      '$.error in a step that a catch leads to on one way of several',
      workflow({ a: agent({ next_step: 'b', ...caught('b') }), b: reads('$.error') }),
    ],
    [
      '$.output, and what was there before, in output_mapping and assign',
      workflow({
        a: pass('b'),
        b: agent({
          output_mapping: { x: '$.output.x', y: '$.a.output_data', z: '$.workflow_input' },
          assign: { n: '$.output', m: '$.variables.n' },
        }),
      }),
    ],
    [
      'the output of what is inside by the step that it is in',
      workflow({
        a: parallel({ x: { b: pass() } }, { next_step: 'c', output_mapping: '$.output.x' }),
        c: reads('$.a.output_data.x'),
      }),
    ],
    [
      'in a condition, a step that some way leaves out',
      workflow({
        a: choice(['b'], 'c'),
        b: pass('c'),
        c: {
          type: 'choice',
          choices: [{ variable: '$.b.output_data', is_present: true, next_step: 'd' }],
          default_next_step: 'd',
        },
        d: { type: 'succeed' },
      }),
    ],
    [
      'in a condition, what a later round of the loop leaves',
      workflow({
        a: {
          type: 'choice',
          choices: [{ variable: '$.b.output_data', is_present: true, next_step: 'd' }],
          default_next_step: 'b',
        },
        b: pass('a'),
        d: { type: 'succeed' },
      }),
    ],
  ])('%s', (_, input) => {
    expect(texts(input)).toEqual([]);
  });
});

describe('an expression may not read', () => {
  it.each<[string, unknown, string[]]>([
    [
      'a step that some way leaves out',
      workflow({ a: choice(['b'], 'c'), b: pass('c'), c: reads('$.b.output_data') }),
      ['steps.c.input_mapping.x: expected a step that has completed on every way to "c", got "b"'],
    ],
    [
      'a step that did not complete, behind its catch',
      workflow({ a: agent({ next_step: 'b', ...caught('b') }), b: reads('$.a.output_data') }),
      ['steps.b.input_mapping.x: expected a step that has completed on every way to "b", got "a"'],
    ],
    [
      'a later step of a loop',
      workflow({ a: reads('$.b.output_data', { next_step: 'b' }), b: choice(['a'], 'c'), c: pass() }),
      ['steps.a.input_mapping.x: expected a step that has completed on every way to "a", got "b"'],
    ],
    [
      'itself, when it settles',
      workflow({ a: agent({ assign: { x: '$.a.output_data' } }) }),
      ['steps.a.assign.x: expected a step that completes before "a", got "a"'],
    ],
    [
      'into a branch, from outside and from another',
      workflow({
        a: parallel(
          { x: { b: pass() }, y: { c: reads('$.b.output_data') } },
          { next_step: 'd', output_mapping: '$.b.output_data' },
        ),
        d: reads('$.b.output_data'),
      }),
      [
        'steps.a.output_mapping: expected a step that completes before "a", got "b", which is steps.a.branches.x.steps.b: outside of "a" only that step\'s output is seen',
        'steps.d.input_mapping.x: expected a step that completes before "d", got "b", which is steps.a.branches.x.steps.b: outside of "a" only that step\'s output is seen',
        'steps.a.branches.y.steps.c.input_mapping.x: expected a step that completes before "c", got "b", which is steps.a.branches.x.steps.b: outside of "a" only that step\'s output is seen',
      ],
    ],
    [
      'what it is inside, and what comes after that',
      workflow({
        a: map({ b: pass(null, { result: ['$.a.output_data', '$.c.output_data'] }) }, { next_step: 'c' }),
        c: pass(),
      }),
      [
        'steps.a.steps.b.result.0: expected a step that completes before "b", got "a"',
        'steps.a.steps.b.result.1: expected a step that completes before "b", got "c"',
      ],
    ],
    [
      '$.item outside of a map, in its own items too',
      workflow({
        a: map({ b: pass() }, { items: '$.item.x', next_step: 'c', assign: { i: '$.index' } }),
        c: parallel({ x: { d: reads('$.item') } }),
      }),
      [
        'steps.a.items: expected $.item only in the steps of a map',
        'steps.a.assign.i: expected $.index only in the steps of a map',
        'steps.c.branches.x.steps.d.input_mapping.x: expected $.item only in the steps of a map',
      ],
    ],
    [
      '$.error where no catch leads',
      workflow({ a: agent({ next_step: 'b', ...caught('c') }), b: reads('$.error.code'), c: pass() }),
      ['steps.b.input_mapping.x: expected $.error only where a catch leads'],
    ],
    [
      '$.output when it begins',
      workflow({ a: pass('b', { result: '$.output' }), b: { type: 'wait', seconds: '$.output' } }),
      [
        'steps.a.result: expected $.output only in output_mapping and assign',
        'steps.b.seconds: expected $.output only in output_mapping and assign',
      ],
    ],
    [
      'in any field, what is no step',
      workflow({
        a: { type: 'wait', until: '$.q.output_data', next_step: 'b', assign: { x: '$.q.output_data' } },
        b: map({ c: pass() }, { items: '$.q.output_data', next_step: 'd' }),
        d: {
          type: 'workflow',
          workflow_name: 'w',
          input_mapping: { x: ['$.q.output_data'] },
          output_mapping: ['$.q.output_data'],
          next_step: 'e',
        },
        e: {
          type: 'choice',
          choices: [
            { variable: '$.q.output_data', is_null: true, next_step: 'f' },
            {
              or: [
                { not: { variable: '$.workflow_input', string_equals_path: '$.q.output_data' } },
                { and: [{ variable: '$.q.output_data', is_null: true }] },
              ],
              next_step: 'g',
            },
          ],
        },
        f: { type: 'succeed', result: '$.q.output_data' },
        g: { type: 'fail', error_code: '$.q.output_data', error_message: '$.q.output_data' },
      }),
      [
        'steps.a.until',
        'steps.a.assign.x',
        'steps.b.items',
        'steps.d.input_mapping.x.0',
        'steps.d.output_mapping.0',
        'steps.e.choices.0.variable',
        'steps.e.choices.1.or.0.not.string_equals_path',
        'steps.e.choices.1.or.1.and.0.variable',
        'steps.f.result',
        'steps.g.error_code',
        'steps.g.error_message',
      ].map(
        (path) =>
          `${path}: expected a step that completes before "${path[6]}", got "q", which is no step of this workflow`,
      ),
    ],
    [
      'in a condition, what only comes later, or several values',
      workflow({
        a: {
          type: 'choice',
          choices: [
            { variable: '$.b.output_data', is_null: true, next_step: 'b' },
            { variable: '$.workflow_input[*]', is_null: true, next_step: 'b' },
          ],
        },
        b: pass(),
      }),
      [
        'steps.a.choices.0.variable: expected a step that completes before "a", got "b"',
        'steps.a.choices.1.variable: expected a path to one value, got "$.workflow_input[*]"',
      ],
    ],
    [
      'more than a hundred lists, in all that it evaluates',
      workflow({
        a: agent({
          input_mapping: { x: Array.from({ length: 60 }, () => '$.workflow_input..*') },
          output_mapping: Array.from({ length: 60 }, () => '$.output..*'),
        }),
      }),
      ['steps.a.output_mapping.40: expected at most 100 paths in a step that may select several values'],
    ],
  ])('%s', (_, input, expected) => {
    expect(texts(input).sort()).toEqual([...expected].sort());
  });
});
