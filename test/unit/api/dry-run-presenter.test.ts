import { describe, expect, it } from 'vitest';
import { presentDryRun } from '../../../functions/api/presenters/dry-run.ts';
import type { DryRunReport } from '../../../shared/application/dry-run/dry-run.ts';
import type { TracedNode } from '../../../shared/application/dry-run/trace.ts';
import { pipelinePlan, run, T0 } from '../../support/engine-states.ts';

const node = (given: Partial<TracedNode> = {}): TracedNode => ({
  stepId: 'extract',
  scope: '',
  visit: 1,
  status: 'COMPLETED',
  startedAt: T0,
  completedAt: T0 + 1_500,
  inputData: { given: 'in' },
  outputData: 'out',
  error: null,
  logs: ['one line'],
  source: 'mock',
  attempts: [{ attempt: 1, status: 'COMPLETED', startedAt: T0, completedAt: T0 + 1_500, error: null }],
  ...given,
});

const report = (given: Partial<DryRunReport> = {}): DryRunReport => ({
  executionId: 'e-1',
  plan: pipelinePlan(),
  run: run({ status: 'COMPLETED', startedAt: T0, completedAt: T0 + 2_000, outputData: 'out' }),
  variables: { a: 1 },
  nodes: [node()],
  nodesSkipped: 0,
  branchesNotTaken: [],
  unusedMocks: [],
  ...given,
});

describe('a test', () => {
  it('is presented as documented, with what getExecution tells besides', () => {
    expect(presentDryRun('w-1', report())).toEqual({
      data: {
        execution_id: 'e-1',
        workflow_id: 'w-1',
        test_mode: true,
        status: 'completed',
        execution_time_seconds: 2,
        execution_path: ['extract'],
        trace: [
          {
            node_id: 'extract',
            key: 'extract',
            status: 'completed',
            started_at: '2026-01-15T10:30:00.000Z',
            completed_at: '2026-01-15T10:30:01.500Z',
            duration_seconds: 1.5,
            input: { given: 'in' },
            output: { result: 'out' },
            output_source: 'mock',
            retry_count: 0,
            attempts: [
              {
                attempt: 1,
                status: 'completed',
                started_at: '2026-01-15T10:30:00.000Z',
                completed_at: '2026-01-15T10:30:01.500Z',
                error: null,
                error_type: null,
              },
            ],
            logs: ['one line'],
            error: null,
            error_type: null,
            metadata: { step_name: 'extract', step_type: 'agent', visit: 1, scope: '' },
          },
        ],
        branches_not_taken: [],
        unused_mocks: [],
        final_variables: { a: 1 },
        final_output: 'out',
        error_message: null,
        error_node_id: null,
        summary: { nodes_executed: 1, nodes_failed: 0, nodes_skipped: 0, total_duration: 2, passed: true },
      },
      meta: {},
    });
  });

  it('shows null outputs as outputs, and none where there is none', () => {
    const nodes = [node({ outputData: null }), node({ status: 'FAILED', outputData: null })];
    const { data } = presentDryRun('w-1', report({ nodes }));
    expect(data.trace.map(({ output }) => output)).toEqual([{ result: null }, {}]);
  });

  it('counts nodes that ran, failed and were never entered', () => {
    const nodes = [node(), node({ status: 'FAILED' }), node({ status: 'CANCELLED', startedAt: null })];
    const { summary } = presentDryRun('w-1', report({ nodes, nodesSkipped: 4 })).data;
    expect(summary).toMatchObject({ nodes_executed: 2, nodes_failed: 1, nodes_skipped: 4 });
  });

  it('leaves data out, and says so, before the answer is more than a Lambda may give', () => {
    const message = 'm'.repeat(4_000);
    const failure = { code: 'C', message };
    const failed = { attempt: 1, status: 'FAILED', startedAt: T0, completedAt: T0, error: failure } as const;
    const large = node({
      inputData: 'x'.repeat(200_000),
      status: 'FAILED',
      error: failure,
      attempts: Array.from({ length: 100 }, () => failed),
    });
    const { data } = presentDryRun('w-1', report({ nodes: Array.from({ length: 1_000 }, () => large) }));
    expect(data.trace).toHaveLength(1_000);
    expect(data.trace[0]).toMatchObject({ input: large.inputData, error: message });
    expect(data.trace[0]!.metadata).not.toHaveProperty('data_omitted');
    expect(data.trace[999]).toMatchObject({
      input: {},
      output: {},
      logs: [],
      attempts: [],
      error: 'm'.repeat(200),
      metadata: { data_omitted: true },
    });
    expect(Buffer.byteLength(JSON.stringify(data))).toBeLessThan(3_000_000);
  });

  it('shows a thousand of each list, and says which were cut', () => {
    const many = <Item>(item: Item) => Array.from({ length: 1_001 }, () => item);
    const cut = presentDryRun(
      'w-1',
      report({
        nodes: many(node()),
        branchesNotTaken: many({ from: 'a', to: 'b' }),
        unusedMocks: many('a'),
      }),
    );
    expect(cut.meta).toEqual({ truncated: ['trace', 'branches_not_taken', 'unused_mocks'], limit: 1_000 });
    expect([
      cut.data.trace,
      cut.data.execution_path,
      cut.data.branches_not_taken,
      cut.data.unused_mocks,
    ]).toEqual(Array.from({ length: 4 }, () => expect.objectContaining({ length: 1_000 })));
    expect(cut.data.summary.nodes_executed).toBe(1_001);
  });
});
