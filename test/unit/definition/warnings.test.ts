import { describe, expect, it } from 'vitest';
import { findWarnings } from '../../../shared/definition/warnings/find-warnings.ts';
import { agent, choice, map, parallel, parsed, pass, workflow } from './definitions.ts';

const warningsOf = (input: object) => findWarnings(parsed(input), { maxMapItems: 100 });
/** `path: message (hint)` of each. */
const texts = (input: object) =>
  warningsOf(input).map(({ path, message, hint }) => `${path}: ${message} (${hint})`);

const signal = (given: object = {}) => ({ type: 'signal', signal: 's', ...given });
const child = (given: object = {}) => ({ type: 'workflow', workflow_name: 'other', ...given });
const caught = (...codes: (string[] | null)[]) => ({
  catch: codes.map((each) => ({ next_step: 'z', ...(each && { codes: each }) })),
});
const retried = (...codes: (string[] | null)[]) => ({
  retry: codes.map((each) => each && { codes: each }).map((each) => each ?? {}),
});
const one = (step: object, given: object = {}) => workflow({ a: step, z: pass() }, given);

describe('nothing is said of', () => {
  it.each<[string, object]>([
    [
      'texts that only look a little like paths, and those that say that they are text',
      workflow({
        a: agent({
          input_mapping: {
            price: '$5.00',
            file: 'output.txt',
            word: 'variables',
            sentence: 'workflow_input.x is missing',
            nobody: 'other.output_data',
            braces: '{x} {{}} {{{}}}',
            escaped: '\\$.workflow_input.name',
            long: `workflow_input.${'x'.repeat(100_000)}`,
            open: '{{'.repeat(10_000) + ' '.repeat(10_000),
            path: "$.workflow_input['{{name}}']",
          },
        }),
      }),
    ],
    [
      'texts that conditions compare with',
      workflow({
        a: {
          type: 'choice',
          choices: [{ variable: '$.workflow_input.x', string_equals: '{{x}}', next_step: 'b' }],
        },
        b: pass(),
      }),
    ],
    ['the sources’ steps', workflow({ a: agent({ next_step: 'b' }), b: agent() })],
    [
      'clauses for other codes',
      one(agent({ ...caught(['A', 'B'], ['B', 'C'], null), ...retried(['A'], ['B']) })),
    ],
    ['one clause for all', one(agent(caught(['ALL'])))],
    ['one policy that is no list', workflow({ a: agent({ retry: { codes: ['A', 'A'] } }) })],
    [
      'rules with the same comparison of other values',
      workflow({
        a: {
          type: 'choice',
          choices: [
            { variable: '$.workflow_input.x', string_equals: 'b', next_step: 'b' },
            { variable: '$.workflow_input.x', string_equals: 'c', next_step: 'b' },
            { not: { variable: '$.workflow_input.x', string_equals: 'c' }, next_step: 'b' },
          ],
        },
        b: pass(),
      }),
    ],
    [
      'codes that may come',
      one(
        agent({
          heartbeat_seconds: 5,
          ...caught(['HEARTBEAT_TIMEOUT', 'DATA_LIMIT', 'TIMEOUT']),
          ...retried(['HEARTBEAT_TIMEOUT', 'TIMEOUT']),
        }),
      ),
    ],
    ['a signal’s timeout that is caught', one(signal({ timeout_seconds: 5, ...caught(['TIMEOUT']) }))],
    [
      'no match, caught',
      workflow({ a: choice(['b'], undefined, caught(['NO_CHOICE_MATCHED'])), b: pass(), z: pass() }),
    ],
    [
      'what failed inside, tried again',
      workflow({ a: parallel({ x: { b: pass() } }, retried(['DATA_LIMIT'])) }),
    ],
    [
      'times as long as what is around them',
      workflow({ a: agent({ timeout_seconds: 60 }) }, { timeout_seconds: 60 }),
    ],
    ['a shorter heartbeat', workflow({ a: agent({ timeout_seconds: 60, heartbeat_seconds: 59 }) })],
    ['a time for a child that is waited for', workflow({ a: child({ timeout_seconds: 60 }) })],
    ['a group that is caught', one(parallel({ x: { b: pass() } }, caught(['A'])))],
    [
      'as many items as there may be',
      workflow({ a: map({ b: pass() }, { max_concurrency: 100, tolerated_failures: 99 }) }),
    ],
    ['every item that may fail', workflow({ a: map({ b: pass() }, { tolerated_failure_percentage: 100 }) })],
    ...['$.variables.v', "$['variables']['v']", '$.variables', '$.variables[*]', '$.variables.v.deep'].map(
      (path): [string, object] => [
        `a variable that ${path} reads`,
        workflow({
          a: agent({ assign: { v: 1 }, next_step: 'b' }),
          b: pass(null, { result: { deep: [path] } }),
        }),
      ],
    ),
    [
      'a variable that a condition, an assignment or what is inside reads',
      workflow({
        a: pass('b', { assign: { v: 1, w: 2, x: 3 } }),
        b: pass('c', { assign: { v: '$.variables.w' } }),
        c: map({ d: pass(null, { result: '$.variables.x' }) }, { next_step: 'e' }),
        e: {
          type: 'choice',
          choices: [{ variable: '$.variables.v', is_present: true, next_step: 'f' }],
        },
        f: pass(),
      }),
    ],
  ])('%s', (_, input) => {
    expect(texts(input)).toEqual([]);
  });
});

describe('a warning is', () => {
  it.each<[string, object, string[]]>([
    [
      'a clause after one for all',
      one(agent(caught(['A'], ['ALL', 'B'], ['C'], null))),
      [2, 3].map(
        (i) =>
          `steps.a.catch.${i}: never counts: steps.a.catch.1 before it is for every error (Put it before steps.a.catch.1, or leave it out)`,
      ),
    ],
    [
      'a clause, and a policy, whose codes are all taken',
      one(agent({ ...caught(['A'], ['B'], ['A', 'B']), ...retried(['A'], ['A']) })),
      [
        'steps.a.catch.2: never counts: what is before it is for A, B already (Leave it out, or name other codes)',
        'steps.a.retry.1: never counts: what is before it is for A already (Leave it out, or name other codes)',
      ],
    ],
    [
      'a policy of the workflow after one for all',
      workflow({ a: agent() }, retried(null, ['A'])),
      [
        'retry.1: never counts: retry.0 before it is for every error (Put it before retry.0, or leave it out)',
      ],
    ],
    [
      'a rule with the condition of one before, in whatever order its fields are',
      workflow({
        a: {
          type: 'choice',
          choices: [
            { variable: '$.workflow_input.x', is_present: true, next_step: 'b' },
            { and: [{ variable: '$.workflow_input.y', is_null: false }], next_step: 'b' },
            { is_present: true, variable: '$.workflow_input.x', next_step: 'c' },
            { and: [{ is_null: false, variable: '$.workflow_input.y' }], next_step: 'c' },
          ],
        },
        b: pass(),
        c: pass(),
      }),
      [
        'steps.a.choices.2: is never come to: steps.a.choices.0 before it has the same condition (Change the condition, or leave the rule out)',
        'steps.a.choices.3: is never come to: steps.a.choices.1 before it has the same condition (Change the condition, or leave the rule out)',
      ],
    ],
    [
      'a code that never comes',
      workflow({
        a: agent({
          ...caught(['A', 'HEARTBEAT_TIMEOUT']),
          retry: { codes: ['HEARTBEAT_TIMEOUT'] },
          next_step: 'b',
        }),
        b: signal({ ...caught(['TIMEOUT']), next_step: 'c' }),
        c: choice(['z'], 'z', caught(['NO_CHOICE_MATCHED'])),
        z: pass(),
      }),
      [
        'steps.a.catch.0.codes.1: HEARTBEAT_TIMEOUT never comes: the step has no heartbeat_seconds (Set heartbeat_seconds)',
        'steps.a.retry.codes.0: HEARTBEAT_TIMEOUT never comes: the step has no heartbeat_seconds (Set heartbeat_seconds)',
        'steps.b.catch.0.codes.0: TIMEOUT never comes: the step waits for ever (Set timeout_seconds)',
        'steps.c.catch.0.codes.0: NO_CHOICE_MATCHED never comes: the step has a default_next_step (Leave it out)',
      ],
    ],
    [
      'a policy for what none tries again',
      workflow({
        a: agent({ ...retried(['BUSY', 'DATA_LIMIT']), next_step: 'b' }),
        b: child({ retry: { codes: ['CANCELLED'] } }),
      }),
      [
        'steps.a.retry.0.codes.1: DATA_LIMIT is never tried again, whatever the policy (Deal with it by catch)',
        'steps.b.retry.codes.0: CANCELLED is never tried again, whatever the policy (Deal with it by catch)',
      ],
    ],
    [
      'a time that is longer than that of what it stands in, the shortest of these',
      workflow(
        {
          a: agent({ timeout_seconds: 61, next_step: 'b' }),
          b: { type: 'wait', seconds: 70, next_step: 'c' },
          c: map({ d: signal({ timeout_seconds: 11 }) }, { timeout_seconds: 10, next_step: 'e' }),
          e: map({ f: signal({ timeout_seconds: 90 }) }, { timeout_seconds: 80 }),
        },
        { timeout_seconds: 60 },
      ),
      [
        ['steps.a.timeout_seconds', 61, 'the workflow', 60],
        ['steps.b.seconds', 70, 'the workflow', 60],
        ['steps.c.steps.d.timeout_seconds', 11, 'steps.c', 10],
        ['steps.e.timeout_seconds', 80, 'the workflow', 60],
        ['steps.e.steps.f.timeout_seconds', 90, 'the workflow', 60],
      ].map(
        ([path, own, what, seconds]) =>
          `${path}: ${own} seconds are never over: ${what} ends after ${seconds} (Make it shorter, or timeout_seconds of ${what} longer)`,
      ),
    ],
    [
      'a heartbeat that is never missed',
      workflow({ a: agent({ timeout_seconds: 30, heartbeat_seconds: 30 }) }),
      [
        'steps.a.heartbeat_seconds: no sign of life is ever missed: the step ends after 30 seconds (Make it shorter than timeout_seconds)',
      ],
    ],
    [
      'a time for a child that is left alone',
      workflow({ a: child({ timeout_seconds: 30, wait_for_completion: false }) }),
      [
        "steps.a.timeout_seconds: has no effect: the step does not wait for the workflow that it starts (Set the other workflow's own timeout_seconds)",
      ],
    ],
    [
      'one branch',
      workflow({ a: parallel({ x: { b: pass() } }) }),
      [
        'steps.a.branches: there is one branch: nothing runs beside it (Let its steps stand where the parallel step stands)',
      ],
    ],
    [
      'more items than a map may have',
      workflow({ a: map({ b: pass() }, { max_concurrency: 101, tolerated_failures: 100 }) }),
      [
        'steps.a.max_concurrency: 101 are never under way at once: a map has at most 100 items (Make it 100 or less)',
        'steps.a.tolerated_failures: so many never fail: a map has at most 100 items (Where every item may fail, say so by tolerated_failure_percentage: 100)',
      ],
    ],
    [
      'a variable that nobody reads, or only outside of its branch',
      workflow({
        a: parallel(
          { x: { b: pass(null, { assign: { v: 1 } }) }, y: { c: pass() } },
          { next_step: 'd', assign: { w: 2 } },
        ),
        d: pass(null, { result: '$.variables.v' }),
      }),
      [
        'steps.a.assign.w: nobody reads $.variables.w in its scope (Read it by a path, or leave it out)',
        'steps.a.branches.x.steps.b.assign.v: nobody reads $.variables.v in its scope (What a branch or item assigns is seen outside only through its output)',
      ],
    ],
    [
      'a template that nobody fills in',
      workflow({
        a: agent({
          input_mapping: {
            whole: '{{name}}',
            part: 'Dear {{ workflow_input.name }}, hello',
            path: ['{{$.a.output_data.x}}'],
            other: '{{#if x}}',
          },
        }),
      }),
      [
        ['whole', '$.workflow_input.name'],
        ['part', '$.workflow_input.name'],
        ['path.0', '$.a.output_data.x'],
        ['other', '$.workflow_input.name'],
      ].map(
        ([at, path]) =>
          `steps.a.input_mapping.${at}: is text as it stands: nothing is filled in for {{…}} (Write what is meant as a string of its own: "${path}". Leave it where the agent itself fills it in)`,
      ),
    ],
    [
      'a comparison with a path that it takes as text',
      workflow({
        a: {
          type: 'choice',
          choices: [
            { variable: '$.workflow_input.a', string_equals: '$.workflow_input.b', next_step: 'b' },
            {
              or: [
                { not: { variable: '$.workflow_input.a', string_less_than: '{{variables.b}}' } },
                { variable: '$.workflow_input.a', string_equals: '$.50' },
                { variable: '$.workflow_input.a', string_equals: '{{b}}' },
                { variable: '$.workflow_input.a', string_matches: 'workflow_input.*' },
                { variable: '$.workflow_input.a', string_equals_path: '$.workflow_input.c' },
              ],
              next_step: 'b',
            },
          ],
          default_next_step: 'b',
        },
        b: pass(null),
      }),
      [
        'steps.a.choices.0.string_equals: is text as it stands: string_equals compares with no path (Compare with what the path selects: "string_equals_path": "$.workflow_input.b")',
        'steps.a.choices.1.or.0.not.string_less_than: is text as it stands: string_less_than compares with no path (Compare with what the path selects: "string_less_than_path": "$.variables.b")',
      ],
    ],
    [
      'a path without its beginning',
      workflow({
        a: pass('b', { result: { x: 'workflow_input.name', y: ['$workflow_input[0]', 'workflow_input'] } }),
        b: agent({
          input_mapping: { x: 'a.output_data.x', y: 'other.output_data' },
          output_mapping: 'variables.x',
          assign: { v: 'workflow_input.v' },
          next_step: 'c',
        }),
        c: { type: 'fail', error_code: 'workflow_input.code', error_message: '$.variables.v' },
      }),
      [
        ['a.result.x', 'workflow_input.name'],
        ['a.result.y.0', 'workflow_input[0]'],
        ['a.result.y.1', 'workflow_input'],
        ['b.input_mapping.x', 'a.output_data.x'],
        ['b.output_mapping', 'variables.x'],
        ['b.assign.v', 'workflow_input.v'],
        ['c.error_code', 'workflow_input.code'],
      ].map(
        ([at, path]) =>
          `steps.${at}: is text as it stands: it does not start $. (Write it as a path: "$.${path}")`,
      ),
    ],
    [
      'a path within other text, in an item too',
      workflow({
        a: map({ b: pass(null, { result: 'Order $.workflow_input.id is late' }) }),
      }),
      [
        'steps.a.steps.b.result: is text as it stands: $.workflow_input… within other text is no path (Give the parts as a list, or as fields of an object: each string that starts $. is a path)',
      ],
    ],
  ])('%s', (_, input, expected) => {
    expect(texts(input)).toEqual(expected);
  });

  it('one of a hundred at the most', () => {
    const steps = Object.fromEntries(
      Array.from({ length: 150 }, (_, i) => [
        `s${i}`,
        pass(i === 149 ? null : `s${i + 1}`, { assign: { [`v${i}`]: 1 } }),
      ]),
    );
    expect(warningsOf(workflow(steps, { start_step: 's0' }))).toHaveLength(100);
  });
});
