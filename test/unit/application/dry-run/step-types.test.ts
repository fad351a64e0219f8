import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { presentDryRun } from '../../../../functions/api/presenters/dry-run.ts';
import { createDryRun, type DryRunRequest } from '../../../../shared/application/dry-run/dry-run.ts';
import type { Mock } from '../../../../shared/application/dry-run/mocked-agents.ts';
import { PlanCache } from '../../../../shared/application/plan-cache.ts';
import { planDefaults } from '../../../../shared/config/plan-defaults.ts';
import { parseDefinition } from '../../../../shared/definition/parse-definition.ts';
import type { Json, JsonObject } from '../../../../shared/engine/json.ts';
import { T0 } from '../../../support/engine-states.ts';

/* The dry run of each type of step, from its definition to what is answered. */

const output = (value: Json): Mock => ({ outcome: { status: 'completed', output: value }, logs: null });
const failure = (code: string): Mock => ({
  outcome: { status: 'failed', error: { code, message: `It is ${code}`, retryable: false } },
  logs: null,
});

interface Given {
  readonly input?: JsonObject;
  readonly mocks?: Readonly<Record<string, readonly Mock[]>>;
}

async function test(steps: Readonly<Record<string, object>>, { input = {}, mocks = {} }: Given = {}) {
  const [start_step] = Object.keys(steps);
  const parsed = parseDefinition({ name: 'w', start_step, steps });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const dryRun = createDryRun({
    plans: new PlanCache(planDefaults),
    examples: { loadExamples: async () => new Map() },
    clock: { now: () => T0 },
    nextId: () => uuidv7(),
    limits: { maxSteps: 1_000, maxTimeMs: 60_000, maxDataLength: 1_000_000, maxExamplesBytes: 1_000 },
  });
  const request: DryRunRequest = {
    inputData: input,
    variables: null,
    mocks: new Map(Object.entries(mocks)),
  };
  const workflow = {
    id: 'w',
    owner: 'ann',
    name: 'w',
    version: 1,
    versionId: 'v',
    definition: parsed.definition,
  };
  const result = await dryRun.run(workflow, request);
  if (!result.ok) throw new Error(result.reason);
  return presentDryRun('w', result.report).data;
}

const agent = (more: object = {}) => ({ agent_name: 'worker', ...more });

describe('a dry run of', () => {
  it('a choice takes the way of its rule, and tells the ways that it did not', async () => {
    const steps = {
      which: {
        type: 'choice',
        choices: [{ variable: '$.workflow_input.size', numeric_greater_than: 10, next_step: 'large' }],
        default_next_step: 'small',
      },
      large: agent(),
      small: agent(),
    };
    const large = await test(steps, { input: { size: 11 } });
    expect(large.execution_path).toEqual(['which', 'large']);
    expect(large.branches_not_taken).toEqual([{ from: 'which', to: 'small' }]);
    expect(large.summary).toMatchObject({ nodes_executed: 2, nodes_skipped: 1, passed: true });
    expect((await test(steps, { input: { size: 10 } })).execution_path).toEqual(['which', 'small']);
  });

  it('a parallel step runs each branch, and shows in which a step stands', async () => {
    const steps = {
      both: {
        type: 'parallel',
        branches: {
          left: { start_step: 'a', steps: { a: agent() } },
          right: { start_step: 'b', steps: { b: agent() } },
        },
      },
    };
    const tested = await test(steps, { mocks: { a: [output(1)], b: [output(2)] } });
    expect(tested.final_output).toEqual({ left: 1, right: 2 });
    expect(tested.execution_path).toEqual(['both', 'both[left].a', 'both[right].b']);
    expect(tested.trace[1]).toMatchObject({
      node_id: 'a',
      key: 'both[left].a',
      output_source: 'mock',
      metadata: { scope: 'both#1/left', branch: { step_id: 'both', name: 'left' }, item: null },
    });
    const failed = await test(steps, { mocks: { a: [failure('BROKEN')] } });
    expect(failed).toMatchObject({ status: 'failed', error_node_id: 'both' });
  });

  it('a map runs its steps for each item; one list of mocks serves all calls in turn', async () => {
    const work = agent({ input_mapping: { row: '$.item', place: '$.index' } });
    const each = {
      type: 'map',
      items: '$.workflow_input.rows',
      max_concurrency: 1,
      start_step: 'work',
      steps: { work },
    };
    const input = { rows: ['x', 'y', 'z'] };
    const echoed = await test({ each }, { input });
    expect(echoed.final_output).toEqual(input.rows.map((row, place) => ({ row, place })));
    const mocked = await test({ each }, { input, mocks: { work: [output('first'), output('later')] } });
    expect(mocked.final_output).toEqual(['first', 'later', 'later']);
    expect(mocked.execution_path).toEqual(['each', 'each[0].work', 'each[1].work', 'each[2].work']);
    expect(mocked.trace[3]?.metadata).toMatchObject({ item: { step_id: 'each', index: 2 }, branch: null });
    expect(mocked.summary).toMatchObject({ nodes_executed: 4, nodes_skipped: 0 });
  });

  it('a loop shows each visit', async () => {
    const steps = {
      work: agent({ next_step: 'again' }),
      again: {
        type: 'choice',
        choices: [{ variable: '$.work.output_data.done', boolean_equals: false, next_step: 'work' }],
        default_next_step: 'end',
      },
      end: { type: 'succeed' },
    };
    const tested = await test(steps, { mocks: { work: [output({ done: false }), output({ done: true })] } });
    expect(tested.execution_path).toEqual(['work', 'again', 'work#2', 'again#2', 'end']);
  });

  it('a wait takes no time but the virtual', async () => {
    const steps = { pause: { type: 'wait', seconds: 86_400, next_step: 'after' }, after: agent() };
    const tested = await test(steps);
    expect(tested).toMatchObject({ status: 'completed', execution_time_seconds: 86_400 });
  });

  it('a signal comes with its mock, or empty when nothing else would happen', async () => {
    const steps = { approved: { type: 'signal', signal: 'approval', next_step: 'after' }, after: agent() };
    const mocked = await test(steps, { mocks: { approved: [output({ by: 'ann' })] } });
    expect(mocked.trace[0]).toMatchObject({ output: { result: { by: 'ann' } }, output_source: 'mock' });
    expect((await test(steps)).trace[0]).toMatchObject({ output: { result: null }, output_source: 'echo' });
  });

  it('a signal with a timeout does not come without a mock', async () => {
    const steps = {
      approved: {
        type: 'signal',
        signal: 'approval',
        timeout_seconds: 60,
        catch: [{ codes: ['TIMEOUT'], next_step: 'late' }],
      },
      late: { type: 'pass', result: 'too late' },
    };
    expect(await test(steps)).toMatchObject({ status: 'completed', final_output: 'too late' });
    const mocked = await test(steps, { mocks: { approved: [output('yes')] } });
    expect(mocked).toMatchObject({ final_output: 'yes', execution_time_seconds: 0 });
  });

  it('a workflow is stood for by its mock, a failure too', async () => {
    const child = { type: 'workflow', workflow_name: 'other', input_mapping: { a: '$.workflow_input.a' } };
    const mocked = await test({ child }, { mocks: { child: [output('of the child')] } });
    expect(mocked.final_output).toBe('of the child');
    expect((await test({ child }, { input: { a: 7 } })).final_output).toEqual({ a: 7 });
    const failed = await test({ child }, { mocks: { child: [failure('CHILD_BROKE')] } });
    expect(failed.trace[0]).toMatchObject({ status: 'failed', error_type: 'CHILD_BROKE' });
  });

  it('a pass, a succeed and a fail step', async () => {
    const shaped = await test({
      shape: { type: 'pass', result: { a: 1 }, next_step: 'end' },
      end: { type: 'succeed' },
    });
    expect(shaped).toMatchObject({ status: 'completed', execution_path: ['shape', 'end'] });
    const failed = await test({ stop: { type: 'fail', error_code: 'NO', error_message: 'Not today' } });
    expect(failed).toMatchObject({ status: 'failed', error_node_id: 'stop' });
    expect(failed.error_message).toContain('Not today');
  });

  it('an error that is caught goes on in its handler', async () => {
    const steps = {
      work: agent({ catch: [{ codes: ['BUSY'], next_step: 'handle' }] }),
      handle: { type: 'pass', result: '$.error.code' },
    };
    const tested = await test(steps, { mocks: { work: [failure('BUSY')] } });
    expect(tested).toMatchObject({ status: 'completed', final_output: 'BUSY' });
    expect(tested.execution_path).toEqual(['work', 'handle']);
  });
});
