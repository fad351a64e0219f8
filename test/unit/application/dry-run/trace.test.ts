import { describe, expect, it } from 'vitest';
import { branchesNotTaken, traceOf } from '../../../../shared/application/dry-run/trace.ts';
import { attempt, pipelinePlan, T0 } from '../../../support/engine-states.ts';

describe('the trace', () => {
  const failed = attempt({
    stepExecutionId: 'a-1',
    status: 'FAILED',
    startedAt: T0,
    completedAt: T0,
    error: { code: 'BUSY', message: 'Later' },
    logs: ['first'],
  });
  const completed = attempt({
    stepExecutionId: 'a-2',
    status: 'COMPLETED',
    attempt: 2,
    startedAt: T0 + 1_000,
    completedAt: T0 + 1_000,
    outputData: 7,
    logs: ['second'],
  });

  it('has a node for each visit, from its first attempt to what its last came to', () => {
    const again = attempt({ stepExecutionId: 'a-3', visit: 2, status: 'COMPLETED', outputData: 8 });
    const item = attempt({ stepExecutionId: 'a-4', scope: 'each[0]', status: 'COMPLETED', outputData: 9 });
    const nodes = traceOf(
      [failed, completed, again, item],
      new Map([
        ['a-2', 'mock'],
        ['a-3', 'echo'],
      ]),
    );
    expect(nodes).toMatchObject([
      {
        stepId: 'extract',
        scope: '',
        visit: 1,
        status: 'COMPLETED',
        startedAt: T0,
        completedAt: T0 + 1_000,
        outputData: 7,
        error: null,
        logs: ['second'],
        source: 'mock',
        attempts: [
          { attempt: 1, status: 'FAILED', startedAt: T0, error: { code: 'BUSY', message: 'Later' } },
          { attempt: 2, status: 'COMPLETED', startedAt: T0 + 1_000, error: null },
        ],
      },
      { visit: 2, scope: '', outputData: 8, source: 'echo' },
      { visit: 1, scope: 'each[0]', outputData: 9, source: null },
    ]);
  });
});

describe('the branches not taken', () => {
  it.each([
    [['extract'], [{ from: 'extract', to: 'transform' }]],
    [['extract', 'transform'], []],
    [[], []],
  ])('after %j are %j', (entered, branches) => {
    const plan = pipelinePlan({ extract: { next: 'transform' }, transform: { next: null } });
    expect(branchesNotTaken(plan, new Set(entered))).toEqual(branches);
  });
});
