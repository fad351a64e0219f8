import type {
  AgentResult,
  AgentTask,
  CancellationRequest,
  DeadLetter,
  ExecutionRequest,
  MonitoringUpdate,
  RetryRequest,
  StepRequest,
  Wake,
} from './messages.ts';

const RUN = 'run-123e4567-e89b-12d3-a456-426614174000';
const CHILD = 'run-123e4567-e89b-12d3-a456-426614174001';
const ATTEMPT = '019338b2-7c00-7000-8000-000000000001';

/** One record of each kind: the requests as api-executor-integration shows them, the others of the same run. */
export const messageExamples = {
  execution_request: {
    run_id: RUN,
    workflow_plan: {
      workflow_id: 'wf-data-pipeline-1',
      name: 'data-pipeline',
      version: '1',
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
    input_data: { source_url: 's3://bucket/data.csv' },
    timestamp: '2024-01-15T10:30:00.000Z',
    message_type: 'execution_request',
  } satisfies ExecutionRequest,
  cancellation_request: {
    run_id: RUN,
    cancelled_by: 'user@example.com',
    reason: 'User requested cancellation',
    timestamp: '2024-01-15T10:35:00.000Z',
    message_type: 'cancellation_request',
  } satisfies CancellationRequest,
  step_request: {
    message_type: 'step_request',
    run_id: RUN,
    step_execution_id: ATTEMPT,
    timestamp: '2024-01-15T10:30:01.000Z',
  } satisfies StepRequest,
  retry_request: {
    message_type: 'retry_request',
    run_id: CHILD,
    step_execution_id: ATTEMPT,
    previous_step_execution_id: null,
    retry_token: 'tN3Y1bVtD0e6mZkQqR2xWw',
    timestamp: '2024-01-15T10:40:00.000Z',
  } satisfies RetryRequest,
  wake: {
    message_type: 'wake',
    run_id: RUN,
    step_execution_id: ATTEMPT,
    timestamp: '2024-01-15T10:30:02.000Z',
  } satisfies Wake,
  agent_task: {
    message_type: 'agent_task',
    run_id: RUN,
    step_execution_id: ATTEMPT,
    step_id: 'extract',
    agent_name: 'data-extractor',
    attempt: 1,
    input_data: { source: 's3://bucket/data.csv' },
    idempotency_key: `${RUN}.extract.1`,
    deadline: '2024-01-15T11:31:00.000Z',
    result_token: 'q83vEjRWeJCrze8SNFZ4kA',
    timestamp: '2024-01-15T10:30:00.500Z',
  } satisfies AgentTask,
  agent_result: {
    message_type: 'agent_result',
    run_id: RUN,
    step_execution_id: ATTEMPT,
    attempt: 1,
    status: 'completed',
    output_data: { rows: 3 },
    logs: ['3 rows read'],
    result_token: 'q83vEjRWeJCrze8SNFZ4kA',
    timestamp: '2024-01-15T10:30:01.000Z',
  } satisfies AgentResult,
  monitoring_update: {
    message_type: 'monitoring_update',
    run_id: RUN,
    workflow_id: 'wf-data-pipeline-1',
    sequence: 4,
    status: 'RUNNING',
    step_id: 'transform',
    step_status: 'RUNNING',
    attempt: 1,
    error_message: null,
    transitions: [
      {
        sequence: 3,
        status: 'RUNNING',
        step_id: 'extract',
        step_status: 'COMPLETED',
        attempt: 1,
        error_message: null,
      },
      {
        sequence: 4,
        status: 'RUNNING',
        step_id: 'transform',
        step_status: 'RUNNING',
        attempt: 1,
        error_message: null,
      },
    ],
    timestamp: '2024-01-15T10:30:01.000Z',
  } satisfies MonitoringUpdate,
  dead_letter: {
    message_type: 'dead_letter',
    reason: 'expected JSON',
    topic: 'results.topic',
    partition: 0,
    offset: 42,
    key: null,
    value: 'bm90IEpTT04=',
    timestamp: '2024-01-15T10:30:01.000Z',
  } satisfies DeadLetter,
};

export type MessageType = keyof typeof messageExamples;
