import { describe, expect, it } from 'vitest';
import { compilePlan, type PlanDefaults } from '../../../shared/definition/compile-plan.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import type { AgentStep, Plan, RetryPolicy } from '../../../shared/engine/plan.ts';

const defaultRetry: RetryPolicy = {
  maxAttempts: 3,
  initialIntervalMs: 1_000,
  backoffRate: 2,
  maxIntervalMs: 60_000,
  jitter: 'full',
  codes: null,
};
const defaults: PlanDefaults = {
  defaultTimeoutMs: 60_000,
  longStopMs: 3_600_000,
  pickUpMs: 60_000,
  maxPayloadBytes: 262_144,
  maxStepsPerRun: 25_000,
  maxRunDepth: 10,
  maxMapItems: 10_000,
  runTimeoutMs: null,
  retry: [defaultRetry],
};

function compile(steps: object, given: object = {}): Plan {
  const parsed = parseDefinition({ name: 'w', start_step: 'a', steps, ...given });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return compilePlan(parsed.definition, defaults);
}

function agentStep(plan: Plan, id: string): AgentStep {
  const step = plan.steps.get(id);
  if (step?.type !== 'agent') throw new Error(`${id} is no agent step`);
  return step;
}

describe('compilePlan', () => {
  it('has the steps of an invocation that its workflow asks for, if any', () => {
    const steps = { a: { agent_name: 'x' } };
    expect(compile(steps, { steps_per_invocation: 8 }).stepsPerInvocation).toBe(8);
    expect(compile(steps)).not.toHaveProperty('stepsPerInvocation');
  });

  it('compiles a step with everything in it', () => {
    const plan = compile({
      a: {
        name: 'First',
        step_type: 'my_agent',
        agent_name: 'x',
        next_step: 'b',
        input_mapping: { v: '$.workflow_input.v' },
        timeout_seconds: 1.0004,
        retry: { max_attempts: 7, codes: ['BUSY'], jitter: 'none' },
      },
      b: { agent_name: 'y' },
    });
    expect(plan.startStep).toBe('a');
    expect(plan.settings).toEqual({
      defaultTimeoutMs: 60_000,
      longStopMs: 3_600_000,
      pickUpMs: 60_000,
      maxPayloadBytes: 262_144,
      maxStepsPerRun: 25_000,
      maxRunDepth: 10,
      maxMapItems: 10_000,
    });
    expect(plan.steps.get('a')).toMatchObject({
      id: 'a',
      name: 'First',
      label: 'my_agent',
      agentName: 'x',
      next: 'b',
      timeoutMs: 1_001,
      retry: [{ ...defaultRetry, maxAttempts: 7, codes: ['BUSY'], jitter: 'none' }],
    });
    expect(plan.steps.get('b')).toMatchObject({
      name: 'b',
      label: 'agent',
      next: null,
      timeoutMs: null,
      retry: [defaultRetry],
    });
    const scope = { workflowInput: { v: 5 }, variables: null, outputs: new Map() };
    expect(agentStep(plan, 'a').input.evaluate(scope)).toEqual({ v: 5 });
    expect(agentStep(plan, 'b').input.evaluate(scope)).toEqual({});
  });

  it.each<[string, object, object, readonly Partial<RetryPolicy>[]]>([
    ["absent means the deployment's", {}, {}, [{ maxAttempts: 3 }]],
    ["absent means the workflow's", { retry: { max_attempts: 9 } }, {}, [{ maxAttempts: 9 }]],
    [
      "the step's own comes first",
      { retry: { max_attempts: 9 } },
      { retry: { max_attempts: 2 } },
      [{ maxAttempts: 2 }],
    ],
    ['[] means none', { retry: { max_attempts: 9 } }, { retry: [] }, []],
    ["the workflow's [] means none", { retry: [] }, {}, []],
    [
      'a list keeps its order',
      {},
      { retry: [{ codes: ['A'], max_attempts: 1 }, { max_attempts: 4 }] },
      [
        { codes: ['A'], maxAttempts: 1 },
        { codes: null, maxAttempts: 4 },
      ],
    ],
  ])('retry: %s', (_, workflow, step, expected) => {
    expect(compile({ a: { agent_name: 'x', ...step } }, workflow).steps.get('a')?.retry).toMatchObject(
      expected,
    );
  });
});
