import { describe, expect, it } from 'vitest';
import {
  type DrivenRun,
  type DryRunLimits,
  driveRun,
} from '../../../../shared/application/dry-run/drive-run.ts';
import { MockedAgents, type Mocks } from '../../../../shared/application/dry-run/mocked-agents.ts';
import type { RunMemory } from '../../../../shared/application/dry-run/run-memory.ts';
import type { Json } from '../../../../shared/engine/json.ts';
import type { Plan } from '../../../../shared/engine/plan.ts';
import {
  draws,
  NOTHING,
  pipelinePlan,
  planStep,
  policy,
  RUN_ID,
  T0,
} from '../../../support/engine-states.ts';

const LIMITS: DryRunLimits = { maxSteps: 100, maxTimeMs: 1_000, maxDataLength: 100_000 };

interface Given {
  readonly plan?: Plan;
  readonly mocks?: Mocks;
  readonly examples?: Readonly<Record<string, Json>>;
  readonly limits?: Partial<DryRunLimits>;
  readonly inputData?: Json;
  readonly variables?: Json;
  /** How far the real clock goes on with each look at it. */
  readonly tickMs?: number;
}

function drive({ plan = pipelinePlan(), mocks = new Map(), examples = {}, ...given }: Given = {}): DrivenRun {
  const agents = new MockedAgents(mocks, new Map(Object.entries(examples)));
  const { inputData = 'in', variables = null, tickMs = 0, limits } = given;
  let looks = 0;
  return driveRun(
    plan,
    { runId: RUN_ID, inputData, variables },
    {
      answer: (task) => agents.answer(task),
      hasMock: (stepId) => agents.hasMock(stepId),
      draws: draws(),
      clock: { now: () => T0 + tickMs * looks++ },
      limits: { ...LIMITS, ...limits },
    },
  );
}

function ended(driven: DrivenRun): RunMemory {
  if (!driven.ok) throw new Error(`The run did not end: ${driven.reason}`);
  return driven.memory;
}

const output = (value: Json) => ({ outcome: { status: 'completed', output: value }, logs: null }) as const;
const failure = (code: string, retryable = true) =>
  ({
    outcome: { status: 'failed', error: { code, message: `It is ${code}`, retryable } },
    logs: null,
  }) as const;

describe('a run', () => {
  it('goes step by step to its end, each reading what the one before brought', () => {
    const memory = ended(
      drive({
        mocks: new Map([
          ['extract', [output({ rows: 3 })]],
          ['transform', [output('done')]],
        ]),
      }),
    );
    expect(memory.run).toMatchObject({
      status: 'COMPLETED',
      outputData: 'done',
      startedAt: T0,
      completedAt: T0,
    });
    expect([...memory.attempts]).toMatchObject([
      { stepId: 'extract', status: 'COMPLETED', inputData: { given: 'in' }, outputData: { rows: 3 } },
      { stepId: 'transform', status: 'COMPLETED', inputData: { data: { rows: 3 } }, outputData: 'done' },
    ]);
  });

  it('has the answers’ origin for each attempt', () => {
    const driven = drive({
      mocks: new Map([['extract', [failure('BUSY'), output(1)]]]),
      examples: { 'transform-agent': null },
    });
    expect(driven.ok && [...driven.sources.values()]).toEqual(['mock', 'mock', 'example']);
    expect(ended(driven).run.outputData).toBeNull();
  });

  it('waits out backoffs without time: each attempt is at the virtual time of its turn', () => {
    const retry = [policy({ maxAttempts: 4, initialIntervalMs: 60_000, maxIntervalMs: 86_400_000 })];
    const memory = ended(
      drive({
        plan: pipelinePlan({ extract: { retry } }),
        mocks: new Map([['extract', [failure('A'), failure('B'), failure('C'), output(1)]]]),
        limits: { maxTimeMs: 0 },
      }),
    );
    const minutes = [...memory.attempts].map(({ startedAt }) => ((startedAt ?? 0) - T0) / 60_000);
    expect(minutes).toEqual([0, 1, 3, 7, 7]);
    expect(memory.run).toMatchObject({ status: 'COMPLETED', startedAt: T0, completedAt: T0 + 7 * 60_000 });
    expect([...memory.attempts].map(({ error }) => error?.code ?? null)).toEqual(['A', 'B', 'C', null, null]);
  });

  it('fails with the last attempt’s error, and enters nothing after', () => {
    const memory = ended(drive({ mocks: new Map([['extract', [failure('BUSY')]]]) }));
    expect(memory.run).toMatchObject({
      status: 'FAILED',
      error: { code: 'BUSY', stepId: 'extract', attempt: 3 },
    });
    expect([...memory.attempts].map(({ stepId, attempt }) => [stepId, attempt])).toEqual([
      ['extract', 1],
      ['extract', 2],
      ['extract', 3],
    ]);
  });

  it('fails at once where the error is final', () => {
    const memory = ended(drive({ mocks: new Map([['extract', [failure('BAD', false)]]]) }));
    expect(memory.run.error).toMatchObject({ code: 'BAD', attempt: 1 });
  });

  it('fails as in production where an input is larger than a payload may be', () => {
    // The plan's payloads have at most 200 bytes.
    const memory = ended(drive({ mocks: new Map([['extract', [output('x'.repeat(195))]]]) }));
    expect(memory.run).toMatchObject({
      status: 'FAILED',
      error: { code: 'DATA_LIMIT', stepId: 'transform' },
    });
  });

  it.each([
    ['input', { inputData: { a: 1 }, variables: null }],
    ['variables', { inputData: null, variables: { a: 1 } }],
  ])('given %s reads them as the other too', (_which, start) => {
    const both = planStep('both', {
      input: {
        reads: { ...NOTHING, workflowInput: true, variables: true },
        evaluate: ({ workflowInput, variables }) => [workflowInput, variables],
      },
    });
    const plan = { ...pipelinePlan(), startStep: 'both', steps: new Map([['both', both]]) };
    const memory = ended(drive({ plan, ...start }));
    expect(memory.run.outputData).toEqual([{ a: 1 }, { a: 1 }]);
  });
});

describe('a run that does not end', () => {
  const endless = {
    ...pipelinePlan(),
    startStep: 'loop',
    steps: new Map([['loop', planStep('loop', { next: 'loop' })]]),
  };

  it('is given up after so many steps', () => {
    expect(drive({ plan: endless })).toEqual({ ok: false, reason: 'step_limit' });
  });

  it('may take exactly as many steps as there may be', () => {
    expect(ended(drive({ limits: { maxSteps: 2 } })).run.status).toBe('COMPLETED');
    expect(drive({ limits: { maxSteps: 1 } })).toEqual({ ok: false, reason: 'step_limit' });
  });

  it('is given up after so much real time', () => {
    const limits = { maxSteps: 1_000_000, maxDataLength: 1_000_000 };
    expect(drive({ plan: endless, limits, tickMs: 10 })).toEqual({ ok: false, reason: 'time_limit' });
  });

  it('is given up where its data fill the memory; what steps hand on counts once', () => {
    const mocks = new Map([['extract', [output('x'.repeat(90))]]]);
    expect(drive({ mocks, limits: { maxDataLength: 200 } })).toEqual({ ok: false, reason: 'data_limit' });
    const echo = planStep('loop', {
      next: 'loop',
      input: {
        reads: { ...NOTHING, workflowInput: true },
        evaluate: ({ workflowInput }) => workflowInput,
      },
    });
    const handedOn = { ...endless, steps: new Map([['loop', echo]]) };
    const inputData = { text: 'x'.repeat(90) };
    expect(drive({ plan: handedOn, inputData, limits: { maxDataLength: 200 } })).toEqual({
      ok: false,
      reason: 'step_limit',
    });
  });
});

it('hands each decision what it needs and nothing else, however long the run has become', () => {
  const steps = Array.from({ length: 50 }, (_, i) =>
    planStep(`s${i}`, {
      next: i === 49 ? null : `s${i + 1}`,
      input: {
        reads: { ...NOTHING, steps: i < 2 ? [] : ['s0'] },
        evaluate: ({ outputs }) => {
          if (i === 40) expect(() => outputs.get('s1')).toThrow('reads outputs');
          return i === 0 ? null : (outputs.get('s0') ?? null);
        },
      },
    }),
  );
  const plan = { ...pipelinePlan(), startStep: 's0', steps: new Map(steps.map((step) => [step.id, step])) };
  const memory = ended(drive({ plan, mocks: new Map([['s0', [output('first')]]]) }));
  expect(memory.run.outputData).toBe('first');
});
