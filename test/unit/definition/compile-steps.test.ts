import { describe, expect, it } from 'vitest';
import { planDefaults } from '../../../shared/config/plan-defaults.ts';
import { compilePlan } from '../../../shared/definition/compile-plan.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { Expression, Plan, PlanStep, Reads, Scope } from '../../../shared/engine/plan.ts';
import { agent, choice, map, parallel, parsed, pass, workflow } from './definitions.ts';

function compile(steps: object, given: object = {}): Plan {
  return compilePlan(parsed(workflow(steps, given)), planDefaults);
}

function stepOf<Type extends PlanStep['type']>(plan: Plan, id: string, type: Type) {
  const step = plan.steps.get(id);
  if (step?.type !== type) throw new Error(`${id} is no ${type} step`);
  return step as Extract<PlanStep, { type: Type }>;
}

const scope: Scope = {
  workflowInput: { s: 5, list: [1, 2] },
  variables: { v: 'x' },
  outputs: new Map<string, Json>([['a', { n: 1 }]]),
  item: { id: 7 },
  index: 3,
  error: { code: 'BUSY', message: 'm', step: 'a', attempt: 1 },
  output: { o: true },
};
const evaluated = (expression: Expression | null) => expression?.evaluate(scope);
const nothing: Reads = { workflowInput: false, variables: false, item: false, error: false, steps: [] };

describe('each type compiles to its own part:', () => {
  it('agent', () => {
    const plan = compile({ a: agent({ heartbeat_seconds: 2.5, timeout_seconds: 30 }) });
    expect(stepOf(plan, 'a', 'agent')).toMatchObject({
      agentName: 'agent',
      heartbeatMs: 2_500,
      timeoutMs: 30_000,
      label: 'agent',
    });
  });

  it('choice', () => {
    const { rules, otherwise, reads, next, label, retry } = stepOf(
      compile({
        a: pass('b'),
        b: {
          type: 'choice',
          choices: [
            { variable: '$.a.output_data.n', numeric_equals: 2, next_step: 'c' },
            {
              and: [
                { variable: '$.workflow_input.s', numeric_greater_than_path: '$.variables.n' },
                { not: { variable: '$.a.output_data', is_null: true } },
              ],
              next_step: 'c',
            },
            { variable: '$.workflow_input.s', numeric_equals: 5, next_step: 'd' },
          ],
          default_next_step: 'c',
        },
        c: pass(),
        d: pass(),
      }),
      'b',
      'choice',
    );
    expect(rules.map(({ next, holds }) => [next, holds(scope)])).toEqual([
      ['c', false],
      ['c', false],
      ['d', true],
    ]);
    expect({ otherwise, next, label, retry }).toEqual({
      otherwise: 'c',
      next: null,
      label: 'choice',
      retry: [],
    });
    expect(reads).toEqual({ ...nothing, workflowInput: true, variables: true, steps: ['a'] });
  });

  it('a choice without a default', () => {
    expect(stepOf(compile({ a: choice(['b']), b: pass() }), 'a', 'choice').otherwise).toBeNull();
  });

  it.each<[string | number | undefined, number]>([
    [undefined, 3],
    ['all', 3],
    ['any', 1],
    [2, 2],
  ])('parallel: wait_for %o is %i', (wait_for, needed) => {
    const branches = { x: { b: pass('c'), c: pass() }, 'y/z#1': { d: pass() }, constructor: { e: pass() } };
    const plan = compile({
      a: parallel(branches, { ...(wait_for !== undefined && { wait_for }), timeout_seconds: 1 }),
    });
    expect(stepOf(plan, 'a', 'parallel')).toMatchObject({
      needed,
      timeoutMs: 1_000,
      retry: [],
      branches: [
        { name: 'x', startStep: 'b' },
        { name: 'y/z#1', startStep: 'd' },
        { name: 'constructor', startStep: 'e' },
      ],
    });
  });

  it('map', () => {
    const steps = { b: pass(null, { result: { item: '$.item.id', at: '$.index' } }) };
    const plan = compile({
      a: map(steps, {
        items: '$.workflow_input.list',
        max_concurrency: 5,
        tolerated_failures: 2,
        tolerated_failure_percentage: 12.5,
        retry: { max_attempts: 2 },
      }),
    });
    const step = stepOf(plan, 'a', 'map');
    expect(step).toMatchObject({
      startStep: 'b',
      maxConcurrency: 5,
      toleratedFailures: 2,
      toleratedFailurePercentage: 12.5,
      retry: [{ maxAttempts: 2 }],
    });
    expect(evaluated(step.items)).toEqual([1, 2]);
    expect(step.reads).toEqual({ ...nothing, workflowInput: true });
    expect(stepOf(plan, 'b', 'pass').reads).toEqual({ ...nothing, item: true });
    expect(evaluated(stepOf(plan, 'b', 'pass').result)).toEqual({ item: 7, at: 3 });
    expect(stepOf(compile({ a: map(steps) }), 'a', 'map')).toMatchObject({
      maxConcurrency: null,
      toleratedFailures: 0,
      toleratedFailurePercentage: 0,
    });
  });

  it.each<[object, 'seconds' | 'until', Json]>([
    [{ seconds: 0 }, 'seconds', 0],
    [{ seconds: '$.workflow_input.s' }, 'seconds', 5],
    [{ until: '2030-01-01T00:00:00Z' }, 'until', '2030-01-01T00:00:00Z'],
    [{ until: '$.variables.v' }, 'until', 'x'],
  ])('wait: %j', (given, of, value) => {
    const step = stepOf(compile({ a: { type: 'wait', ...given } }), 'a', 'wait');
    expect(step).toMatchObject({ of, maxMs: 31_536_000_000 });
    expect(evaluated(step.value)).toEqual(value);
  });

  it('signal', () => {
    expect(
      stepOf(compile({ a: { type: 'signal', signal: 'go', timeout_seconds: 9 } }), 'a', 'signal'),
    ).toMatchObject({ signal: 'go', timeoutMs: 9_000 });
  });

  it('workflow', () => {
    const child = { type: 'workflow', workflow_name: 'other' };
    const latest = stepOf(
      compile({ a: { ...child, input_mapping: { s: '$.workflow_input.s' } } }),
      'a',
      'workflow',
    );
    expect(latest).toMatchObject({ workflow: { name: 'other', version: null }, waits: true, retry: [] });
    expect(evaluated(latest.input)).toEqual({ s: 5 });
    const left = stepOf(
      compile({ a: { ...child, version: 3, wait_for_completion: false } }),
      'a',
      'workflow',
    );
    expect(left).toMatchObject({ workflow: { name: 'other', version: 3 }, waits: false });
    expect(evaluated(left.input)).toEqual({});
  });

  it('pass', () => {
    const plan = compile({
      a: pass('b', { result: ['$.workflow_input.s', 'x'] }),
      b: pass('c'),
      c: pass(null, { output_mapping: { n: '$.a.output_data.n' } }),
    });
    expect(evaluated(stepOf(plan, 'a', 'pass').result)).toEqual([5, 'x']);
    expect(evaluated(stepOf(plan, 'b', 'pass').result)).toBeNull();
    expect(evaluated(stepOf(plan, 'c', 'pass').output)).toEqual({ n: 1 });
  });

  it('succeed and fail', () => {
    const plan = compile({
      a: choice(['b', 'c', 'd'], 'e'),
      b: { type: 'succeed', result: { s: '$.workflow_input.s' } },
      c: { type: 'succeed' },
      d: { type: 'fail', error_code: 'X', error_message: '$.variables.v' },
      e: { type: 'fail', error_code: '$.workflow_input.s', name: 'The end' },
    });
    expect(evaluated(stepOf(plan, 'b', 'succeed').result)).toEqual({ s: 5 });
    expect(evaluated(stepOf(plan, 'c', 'succeed').result)).toBeNull();
    expect(evaluated(stepOf(plan, 'd', 'fail').failure)).toEqual({ code: 'X', message: 'x' });
    expect(evaluated(stepOf(plan, 'e', 'fail').failure)).toEqual({
      code: 5,
      message: 'the workflow failed at step "The end"',
    });
  });
});

describe('every step knows', () => {
  it('where it stands', () => {
    const plan = compile({
      a: parallel({ x: { b: map({ c: pass() }) }, y: { d: pass() } }, { next_step: 'e' }),
      e: pass(),
    });
    const places = [...plan.steps.values()].map(({ id, within, depth, next }) => [id, within, depth, next]);
    expect(places).toEqual([
      ['a', null, 0, 'e'],
      ['b', 'a', 1, null],
      ['c', 'b', 2, null],
      ['d', 'a', 1, null],
      ['e', null, 0, null],
    ]);
  });

  it('whether it may be entered more than once in its scope', () => {
    const plan = compile({
      a: pass('b'),
      b: agent({ next_step: 'c', catch: [{ next_step: 'f' }] }),
      c: map({ d: choice(['d'], 'e'), e: pass() }, { next_step: 'g' }),
      f: pass('b'),
      g: choice(['b'], 'h'),
      h: pass(),
    });
    const looping = [...plan.steps.values()].filter(({ inCycle }) => inCycle).map(({ id }) => id);
    expect(looping).toEqual(['b', 'c', 'd', 'f', 'g']);
  });

  it('what settling it reads, apart from what entering it reads', () => {
    const step = stepOf(
      compile({
        a: pass('b'),
        b: agent({
          input_mapping: { x: '$.workflow_input' },
          output_mapping: { n: '$.a.output_data.n', o: '$.output.o' },
          assign: { last: '$.variables.v', o: '$.output' },
        }),
      }),
      'b',
      'agent',
    );
    expect(step.reads).toEqual({ ...nothing, workflowInput: true });
    expect(step.settleReads).toEqual({ ...nothing, variables: true, steps: ['a'] });
    expect(evaluated(step.output)).toEqual({ n: 1, o: true });
    expect(evaluated(step.assign)).toEqual({ last: 'x', o: { o: true } });
    expect(stepOf(compile({ a: agent() }), 'a', 'agent')).toMatchObject({
      output: null,
      assign: null,
      settleReads: nothing,
    });
  });

  it('what catches its errors, and what they are', () => {
    const plan = compile({
      a: agent({
        catch: [
          { codes: ['TIMEOUT', 'X'], next_step: 'b' },
          { codes: ['Y', 'ALL'], next_step: 'c' },
        ],
        retry: [{ codes: ['ALL'] }, { codes: ['Z'] }],
      }),
      b: pass('c', { catch: [{ next_step: 'c' }] }),
      c: pass(null, { result: '$.error' }),
    });
    const { catch: clauses, retry } = stepOf(plan, 'a', 'agent');
    expect(clauses).toEqual([
      { codes: ['TIMEOUT', 'X'], next: 'b' },
      { codes: null, next: 'c' },
    ]);
    expect(retry).toMatchObject([{ codes: null }, { codes: ['Z'] }]);
    expect(stepOf(plan, 'b', 'pass').catch).toEqual([{ codes: null, next: 'c' }]);
    const { reads, result } = stepOf(plan, 'c', 'pass');
    expect(reads).toEqual({ ...nothing, error: true });
    expect(evaluated(result)).toEqual(scope.error);
  });

  it('its label and name', () => {
    const plan = compile({ a: pass('b', { step_type: 'ai', name: 'First' }), b: { type: 'succeed' } });
    expect([...plan.steps.values()].map(({ name, label }) => [name, label])).toEqual([
      ['First', 'ai'],
      ['b', 'succeed'],
    ]);
  });
});

it('a default retry is for agent steps, and not for those that call nobody or have steps inside', () => {
  const plan = compile(
    { a: parallel({ x: { b: agent() } }, { next_step: 'c' }), c: { type: 'workflow', workflow_name: 'w' } },
    { retry: { max_attempts: 9 } },
  );
  expect([...plan.steps.values()].map(({ id, retry }) => [id, retry.length])).toEqual([
    ['a', 0],
    ['b', 1],
    ['c', 0],
  ]);
});

it("a run's time is the workflow's, else the deployment's", () => {
  expect(compile({ a: pass() }).timeoutMs).toBeNull();
  expect(compile({ a: pass() }, { timeout_seconds: 1.5 }).timeoutMs).toBe(1_500);
  const definition = parsed(workflow({ a: pass() }));
  expect(compilePlan(definition, { ...planDefaults, runTimeoutMs: 7 }).timeoutMs).toBe(7);
});

it('names that definitions of old gave to steps are still theirs', () => {
  const step = (id: string, next_step: string | null, input_mapping: Record<string, Json>) => ({
    id,
    agent_name: 'x',
    next_step,
    input_mapping,
  });
  const definition: WorkflowDefinition = {
    name: 'w',
    description: null,
    start_step: 'error',
    steps: {
      error: step('error', 'output', {}),
      output: step('output', 'item', { x: '$.error.output_data.n' }),
      item: step('item', 'index', { x: "$['output'].output_data" }),
      index: step('index', null, { x: '$.item.output_data', y: '$.index.output_data' }),
    },
  };
  const plan = compilePlan(definition, planDefaults);
  expect([...plan.steps.values()].map(({ reads }) => reads)).toEqual([
    nothing,
    { ...nothing, steps: ['error'] },
    { ...nothing, steps: ['output'] },
    { ...nothing, steps: ['item', 'index'] },
  ]);
  const outputs = new Map<string, Json>([['error', { n: 2 }]]);
  expect(stepOf(plan, 'output', 'agent').input.evaluate({ ...scope, outputs })).toEqual({ x: 2 });
});
