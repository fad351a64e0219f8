import { describe, expect, it } from 'vitest';
import { presentComparison } from '../../../functions/api/presenters/comparison.ts';
import {
  presentExecution,
  presentListedExecution,
  presentMetrics,
} from '../../../functions/api/presenters/execution.ts';
import { MAX_NODES, presentNodes } from '../../../functions/api/presenters/node.ts';
import {
  presentLogEntry,
  presentPlainExecution,
  presentPlainResult,
} from '../../../functions/api/presenters/plain.ts';
import type { ExecutionDetails } from '../../../shared/persistence/execution-queries.ts';
import type { LogEntry, Node } from '../../../shared/persistence/node-queries.ts';
import type { ExecutionStatus } from '../../../shared/persistence/run-filter.ts';
import { pipelinePlan, planStep } from '../../support/engine-states.ts';

const at = (second: number) => new Date(Date.UTC(2025, 11, 9, 12, 0, second));

const run: ExecutionDetails = {
  id: '01933cf0-0000-7000-8000-000000000001',
  run_id: 'run-550e8400-e29b-41d4-a716-446655440000',
  workflow_id: 'wf-data-pipeline-1',
  workflow_name: 'data-pipeline',
  workflow_definition_id: '550e8400-e29b-41d4-a716-446655440001',
  workflow_version_id: null,
  status: 'COMPLETED',
  execution_status: 'COMPLETED',
  begun_at: at(0),
  error_message: null,
  triggered_by: 'ann',
  created_at: at(0),
  updated_at: at(30),
  completed_at: at(30),
  cancelled_at: null,
  cancelled_by: null,
  version: 1,
  community_id: 123,
  sequence: 7,
  started_at: at(0),
  paused_at: null,
  held_by: null,
  parent_run_id: null,
  cancel_reason: null,
  error_code: null,
  error_step_id: null,
  error_attempt: null,
  input_data: null,
  output_data: { message: 'Workflow completed' },
  variables: { count: 5, status: 'success' },
  metadata: null,
};

const node: Node = {
  scope: '',
  step_id: 'extract',
  visit: 1,
  attempts: 1,
  started_at: at(0),
  completed_at: at(1),
  status: 'COMPLETED',
  is_waiting: false,
  step_name: 'Extract',
  step_type: 'agent',
  agent_name: 'data-extractor',
  input_data: { source: 's3' },
  output_data: { message: 'triggered' },
  error_message: null,
  error_code: null,
  logs: ['Node execution started'],
  is_data_omitted: false,
};

/** Of agent steps. */
const planWith = (stepIds: readonly string[]) => ({
  ...pipelinePlan(),
  steps: new Map(stepIds.map((id) => [id, planStep(id)])),
});

const presented = (nodes: readonly Node[], stepIds: readonly string[], status: ExecutionStatus = 'RUNNING') =>
  presentNodes({ nodes, total: nodes.length }, planWith(stepIds), { status, withLogs: true });

describe('an execution', () => {
  it('has its identity, times and outcome', () => {
    expect(presentExecution(run)).toEqual({
      execution_id: '550e8400-e29b-41d4-a716-446655440000',
      workflow_id: '550e8400-e29b-41d4-a716-446655440001',
      status: 'completed',
      start_time: '2025-12-09T12:00:00.000Z',
      end_time: '2025-12-09T12:00:30.000Z',
      execution_time_seconds: 30,
      final_variables: { count: 5, status: 'success' },
      final_output: { message: 'Workflow completed' },
      error_message: null,
      error_node_id: null,
    });
  });

  it('has no end before its end, and its input for variables', () => {
    const open = { ...run, status: 'RUNNING', execution_status: 'PAUSED', completed_at: null } as const;
    expect(presentExecution({ ...open, variables: null, input_data: { a: 1 } })).toMatchObject({
      status: 'paused',
      end_time: null,
      execution_time_seconds: null,
      final_variables: { a: 1 },
    });
  });

  it('of another producer is of the workflow that it names, and ends when it was cancelled', () => {
    const theirs = { ...run, workflow_definition_id: null, completed_at: null, cancelled_at: at(9) };
    expect(presentExecution(theirs)).toMatchObject({
      workflow_id: 'wf-data-pipeline-1',
      end_time: '2025-12-09T12:00:09.000Z',
      execution_time_seconds: 9,
    });
  });

  it('in a list says whether it was a success', () => {
    expect(presentListedExecution({ ...run, nodes_executed: 5 })).toEqual({
      execution_id: '550e8400-e29b-41d4-a716-446655440000',
      workflow_id: '550e8400-e29b-41d4-a716-446655440001',
      status: 'completed',
      start_time: '2025-12-09T12:00:00.000Z',
      end_time: '2025-12-09T12:00:30.000Z',
      execution_time_seconds: 30,
      nodes_executed: 5,
      error: null,
      success: true,
    });
  });
});

describe('metrics', () => {
  const counted = {
    nodes_executed: 3,
    nodes_failed: 1,
    steps_entered: 2,
    average_node_time_seconds: 1.00049,
    slowest_node_id: 'extract',
    slowest_node_time_seconds: 2,
  };
  it('count what was not entered as skipped, once the run has ended', () => {
    const steps = 4;
    expect(presentMetrics(run, counted, steps, at(99))).toEqual({
      execution_id: '550e8400-e29b-41d4-a716-446655440000',
      workflow_id: '550e8400-e29b-41d4-a716-446655440001',
      total_duration_seconds: 30,
      node_count: 4,
      nodes_executed: 3,
      nodes_skipped: 2,
      nodes_failed: 1,
      average_node_time_seconds: 1,
      slowest_node_id: 'extract',
      slowest_node_time_seconds: 2,
      variable_count: 2,
      memory_used_mb: null,
      timestamp: '2025-12-09T12:00:30.000Z',
    });
    const open = { ...run, status: 'RUNNING', completed_at: null } as const;
    expect(presentMetrics(open, counted, steps, at(99))).toMatchObject({
      nodes_skipped: 0,
      total_duration_seconds: null,
      timestamp: '2025-12-09T12:01:39.000Z',
    });
  });
});

describe('nodes', () => {
  it('carry outputs on a port', () => {
    const { node_states } = presented([node, { ...node, step_id: 'empty', output_data: null }], []);
    expect(node_states.extract).toEqual({
      node_id: 'extract',
      status: 'completed',
      started_at: '2025-12-09T12:00:00.000Z',
      completed_at: '2025-12-09T12:00:01.000Z',
      input_data: { source: 's3' },
      output_data: {
        result: {
          port_name: 'result',
          data: { message: 'triggered' },
          timestamp: '2025-12-09T12:00:01.000Z',
        },
      },
      retry_count: 0,
      logs: ['Node execution started'],
      error: null,
      error_type: null,
      metadata: {
        step_name: 'Extract',
        step_type: 'agent',
        agent_name: 'data-extractor',
        visit: 1,
        scope: '',
      },
    });
    expect(node_states.empty?.output_data).toEqual({});
  });

  it('are without logs where nobody wants them', () => {
    const { node_states } = presentNodes({ nodes: [node], total: 1 }, null, {
      status: 'RUNNING',
      withLogs: false,
    });
    expect(node_states.extract?.logs).toEqual([]);
  });

  const statusOf = (given: Partial<Node>, run: ExecutionStatus = 'RUNNING') =>
    presented([{ ...node, ...given }], [], run).node_states.extract?.status;
  it.each<[status: string, given: Partial<Node>, run: ExecutionStatus]>([
    ['pending', { status: 'PENDING', is_waiting: true }, 'RUNNING'],
    ['pending', { status: 'PENDING', is_waiting: true }, 'PAUSED'],
    ['ready', { status: 'PENDING' }, 'RUNNING'],
    ['paused', { status: 'PENDING' }, 'PAUSED'],
    ['running', { status: 'RUNNING' }, 'RUNNING'],
    ['running', { status: 'RUNNING' }, 'PAUSED'],
    ['completed', { status: 'COMPLETED' }, 'RUNNING'],
    ['failed', { status: 'FAILED' }, 'FAILED'],
    ['cancelled', { status: 'CANCELLED' }, 'CANCELLED'],
  ])('are %s: %j in a run that is %s', (status, given, run) => {
    expect(statusOf(given, run)).toBe(status);
  });

  it.each<[run: ExecutionStatus, status: string]>([
    ['PENDING', 'pending'],
    ['RUNNING', 'pending'],
    ['PAUSED', 'pending'],
    ['COMPLETED', 'skipped'],
    ['FAILED', 'skipped'],
    ['CANCELLED', 'skipped'],
  ])('that were never entered in a run that is %s are %s', (run, status) => {
    const { node_states, execution_path } = presented([node], ['extract', 'load'], run);
    expect(Object.entries(node_states).map(([key, state]) => [key, state.status])).toEqual([
      ['extract', 'completed'],
      ['load', status],
    ]);
    expect(execution_path).toEqual(['extract']);
  });

  it('have a key of their own for each visit and item, whatever the ids', () => {
    const nodes = [
      node,
      { ...node, visit: 2 },
      { ...node, visit: 3 },
      { ...node, scope: 'each#1/3' },
      { ...node, scope: 'each#2/3', visit: 2 },
      { ...node, scope: 'each#1/3/both#1/left' },
      { ...node, step_id: '__proto__' },
    ];
    const { node_states, execution_path } = presented(nodes, ['extract', 'extract#2', '__proto__']);
    expect(Object.keys(node_states)).toEqual([
      'extract',
      'extract#2#',
      'extract#3',
      'each[3].extract',
      'each#2[3].extract#2',
      'each[3].both[left].extract',
      '__proto__',
      'extract#2',
    ]);
    expect(node_states['extract#2']?.status).toBe('pending');
    expect(execution_path).toEqual(Object.keys(node_states).slice(0, nodes.length));
  });

  it('are on the path once they have started', () => {
    const waiting = { ...node, step_id: 'load', status: 'PENDING', started_at: null } as const;
    const { node_states, execution_path } = presented([node, waiting], ['extract', 'load']);
    expect(execution_path).toEqual(['extract']);
    expect(node_states.load?.status).toBe('ready');
  });

  it('count their retries', () => {
    expect(presented([{ ...node, attempts: 3 }], []).node_states.extract?.retry_count).toBe(2);
  });

  it('end at the limit, and say so', () => {
    const nodes = Array.from({ length: MAX_NODES }, (_, i) => ({ ...node, visit: i + 1 }));
    const whole = presentNodes({ nodes, total: MAX_NODES }, planWith(['extract']), {
      status: 'RUNNING',
      withLogs: true,
    });
    expect(whole.isTruncated).toBe(false);
    const cut = presentNodes({ nodes, total: MAX_NODES + 1 }, planWith(['extract', 'load']), {
      status: 'RUNNING',
      withLogs: true,
    });
    expect([Object.keys(cut.node_states).length, cut.isTruncated]).toEqual([MAX_NODES, true]);
    const steps = Array.from({ length: MAX_NODES + 1 }, (_, i) => `step${i}`);
    const unentered = presented([], steps, 'PENDING');
    expect([Object.keys(unentered.node_states).length, unentered.isTruncated]).toEqual([MAX_NODES, true]);
  });

  it('go without their data where an answer cannot carry it', () => {
    const big = { ...node, output_data: { text: 'x'.repeat(900_000) } };
    const { node_states } = presented([big, { ...big, visit: 2 }, { ...big, visit: 3 }], []);
    expect(Object.values(node_states).map(({ metadata }) => metadata.data_omitted ?? false)).toEqual([
      false,
      false,
      true,
    ]);
    expect(node_states['extract#3']).toMatchObject({ status: 'completed', output_data: {}, logs: [] });
  });
});

describe('the plain face', () => {
  it('shows an execution with its data', () => {
    const shown = presentPlainExecution(run);
    expect(shown).toEqual({
      id: '550e8400-e29b-41d4-a716-446655440000',
      workflow_id: '550e8400-e29b-41d4-a716-446655440001',
      status: 'completed',
      input_data: { count: 5, status: 'success' },
      output_data: { message: 'Workflow completed' },
      error_message: null,
      started_at: '2025-12-09T12:00:00.000Z',
      completed_at: '2025-12-09T12:00:30.000Z',
    });
    expect(presentPlainResult(shown)).toEqual({
      execution_id: '550e8400-e29b-41d4-a716-446655440000',
      status: 'completed',
      output_data: { message: 'Workflow completed' },
      error_message: null,
    });
  });

  it('shows an attempt with its duration, from its creation where it has not begun', () => {
    const entry: LogEntry = {
      id: '01933cf0-0000-7000-8000-000000000002',
      scope: '',
      step_id: 'extract',
      step_name: 'Extract',
      step_type: 'ai',
      status: 'FAILED',
      attempt: 1,
      input_data: { a: 1 },
      output_data: null,
      error_message: 'It broke',
      error_code: 'BROKEN',
      logs: null,
      created_at: at(0),
      started_at: at(1),
      completed_at: at(3),
    };
    expect(presentLogEntry(entry)).toEqual({
      id: '01933cf0-0000-7000-8000-000000000002',
      step_name: 'Extract',
      step_type: 'ai',
      input_data: { a: 1 },
      output_data: null,
      duration_ms: 2_000,
      error_message: 'It broke',
      timestamp: '2025-12-09T12:00:01.000Z',
      step_id: 'extract',
      status: 'failed',
      attempt: 1,
      error_code: 'BROKEN',
      logs: [],
    });
    expect(presentLogEntry({ ...entry, started_at: null })).toMatchObject({
      duration_ms: null,
      timestamp: '2025-12-09T12:00:00.000Z',
    });
  });
});

describe('a comparison', () => {
  it('pairs nodes, and says where the paths part', () => {
    const left = { run, nodes: [node, { ...node, step_id: 'load', completed_at: at(4) }] };
    const right = {
      run: { ...run, completed_at: at(20), output_data: null },
      nodes: [
        { ...node, attempts: 2, completed_at: at(3), output_data: { message: 'other' } },
        { ...node, step_id: 'extract', visit: 2 },
      ],
    };
    const compared = presentComparison(left, right);
    expect(compared).toMatchObject({
      left: { execution_id: '550e8400-e29b-41d4-a716-446655440000', status: 'completed', version: 1 },
      same_workflow: true,
      same_status: true,
      same_input: true,
      same_output: false,
      execution_time_difference_seconds: -10,
      path: {
        same: false,
        left: ['extract', 'load'],
        right: ['extract', 'extract#2'],
        differs_at: 1,
      },
    });
    expect(compared.nodes).toEqual([
      {
        node_id: 'extract',
        key: 'extract',
        scope: '',
        visit: 1,
        left: { status: 'completed', duration_seconds: 1, retry_count: 0, error: null, error_type: null },
        right: { status: 'completed', duration_seconds: 3, retry_count: 1, error: null, error_type: null },
        same_status: true,
        same_input: true,
        same_output: false,
        duration_difference_seconds: 2,
      },
      expect.objectContaining({ node_id: 'load', right: null, same_status: false, same_input: null }),
      expect.objectContaining({
        node_id: 'extract',
        key: 'extract#2',
        visit: 2,
        left: null,
        duration_difference_seconds: null,
      }),
    ]);
  });

  it('says nothing of data that is too much to look at, and finds equals equal', () => {
    const omitted = { run, nodes: [{ ...node, is_data_omitted: true }] };
    const compared = presentComparison(omitted, omitted);
    expect(compared.nodes[0]).toMatchObject({ same_input: null, same_output: null });
    expect(compared.path).toMatchObject({ same: true, differs_at: null });
    expect(presentComparison({ run, nodes: [] }, { run, nodes: [node] }).path.differs_at).toBe(0);
  });
});
