/* Requests and answers as the documents of each face show them. */

const EXECUTION_ID = '550e8400-e29b-41d4-a716-446655440000';
const WORKFLOW_ID = '550e8400-e29b-41d4-a716-446655440001';

export const definitionExamples = {
  pipeline: {
    name: 'data-pipeline',
    start_step: 'extract',
    steps: {
      extract: {
        id: 'extract',
        agent_name: 'data-extractor',
        next_step: 'transform',
        input_mapping: { source: '$.workflow_input.source_url' },
      },
      transform: {
        id: 'transform',
        agent_name: 'data-transformer',
        next_step: null,
        input_mapping: { data: '$.extract.output_data' },
      },
    },
  },
  one_step: {
    name: 'my-test-workflow',
    description: 'My test workflow',
    start_step: 'step1',
    steps: {
      step1: {
        id: 'step1',
        agent_name: 'echo-agent',
        next_step: null,
        input_mapping: { message: '$.workflow_input.message' },
      },
    },
  },
};

export const executeExamples = {
  input_data: { input_data: { message: 'Hello, World!' } },
  variables: {
    community_id: 123,
    variables: { param1: 'value1', param2: 'value2' },
    metadata: { trigger_source: 'api', session_id: 'sess_123' },
  },
};

export const startedExample = {
  success: true,
  message: 'Workflow execution started',
  data: {
    execution_id: EXECUTION_ID,
    workflow_id: WORKFLOW_ID,
    status: 'running',
    start_time: '2025-12-09T12:00:00Z',
    execution_path: [],
  },
  meta: { warnings: [] },
  run_id: `run-${EXECUTION_ID}`,
  status: 'PENDING',
};

export const cancelExamples = { reason: { reason: 'User requested cancellation' } };

export const cancelledExample = {
  success: true,
  message: 'Execution cancelled successfully',
  data: { execution_id: EXECUTION_ID, status: 'cancelled', cancelled_at: '2025-12-09T12:00:05Z' },
  meta: {},
};

const node = { input_data: {}, retry_count: 0, error: null, error_type: null, metadata: {} };

export const executionExample = {
  success: true,
  message: 'Execution retrieved',
  data: {
    execution_id: EXECUTION_ID,
    workflow_id: WORKFLOW_ID,
    status: 'completed',
    start_time: '2025-12-09T12:00:00Z',
    end_time: '2025-12-09T12:05:00Z',
    execution_time_seconds: 300,
    execution_path: ['trigger_node', 'condition_node', 'action_node'],
    node_states: {
      trigger_node: {
        ...node,
        node_id: 'trigger_node',
        status: 'completed',
        started_at: '2025-12-09T12:00:00Z',
        completed_at: '2025-12-09T12:00:01Z',
        output_data: {
          result: { port_name: 'result', data: { message: 'triggered' }, timestamp: '2025-12-09T12:00:01Z' },
        },
        logs: ['Node execution started', 'Node execution completed'],
      },
      condition_node: {
        ...node,
        node_id: 'condition_node',
        status: 'completed',
        started_at: '2025-12-09T12:00:01Z',
        completed_at: '2025-12-09T12:00:02Z',
        output_data: {},
        logs: [],
      },
    },
    final_variables: { count: 5, status: 'success' },
    final_output: { message: 'Workflow completed', result: 'success' },
    error_message: null,
    error_node_id: null,
    metrics: {
      execution_id: EXECUTION_ID,
      workflow_id: WORKFLOW_ID,
      total_duration_seconds: 300,
      node_count: 10,
      nodes_executed: 3,
      nodes_skipped: 5,
      nodes_failed: 0,
      average_node_time_seconds: 100,
      slowest_node_id: 'action_node',
      slowest_node_time_seconds: 200,
      variable_count: 2,
      memory_used_mb: null,
      timestamp: '2025-12-09T12:05:00Z',
    },
  },
  meta: {},
};

export const listedExecutionsExample = {
  success: true,
  message: 'Executions retrieved',
  data: [
    {
      execution_id: EXECUTION_ID,
      workflow_id: WORKFLOW_ID,
      status: 'completed',
      start_time: '2025-12-09T12:00:00Z',
      end_time: '2025-12-09T12:05:00Z',
      execution_time_seconds: 300,
      nodes_executed: 5,
      error: null,
      success: true,
    },
    {
      execution_id: '550e8400-e29b-41d4-a716-446655440002',
      workflow_id: WORKFLOW_ID,
      status: 'failed',
      start_time: '2025-12-09T11:50:00Z',
      end_time: '2025-12-09T11:55:00Z',
      execution_time_seconds: 300,
      nodes_executed: 3,
      error: 'Node execution failed: API timeout',
      success: false,
    },
  ],
  meta: {
    pagination: { page: 1, per_page: 20, total: 150, total_pages: 8, has_next: true, has_prev: false },
  },
};
