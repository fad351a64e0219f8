import { describe, expect, it } from 'vitest';
import { executorMessage } from '../../../shared/messages/messages.ts';

const executionRequest = {
  run_id: 'run-123e4567-e89b-12d3-a456-426614174000',
  workflow_plan: {
    workflow_id: 'wf-data-pipeline-1',
    name: 'data-pipeline',
    version: '1',
    start_step: 'a',
    steps: {},
  },
  input_data: { source_url: 's3://bucket/data.csv' },
  timestamp: '2024-01-15T10:30:00.000Z',
  message_type: 'execution_request',
};
const cancellationRequest = {
  run_id: 'run-123e4567-e89b-12d3-a456-426614174000',
  cancelled_by: 'user@example.com',
  reason: 'User requested cancellation',
  timestamp: '2024-01-15T10:35:00.000Z',
  message_type: 'cancellation_request',
};
const agentResult = {
  message_type: 'agent_result',
  run_id: 'run-1',
  step_execution_id: 'a-1',
  attempt: 1,
  status: 'completed',
  result_token: 't',
};
const wake = { message_type: 'wake', run_id: 'run-1', timestamp: '2026-01-15T10:30:00.000Z' };

describe('executorMessage takes', () => {
  it.each<[string, object]>([
    ["the sources' execution request", executionRequest],
    ["the sources' cancellation request", cancellationRequest],
    [
      'a cancellation without reason or name',
      { ...cancellationRequest, reason: null, cancelled_by: undefined },
    ],
    ['an answer without output, error, logs, time', agentResult],
    ['an answer with null everywhere', { ...agentResult, output_data: null, error: null, logs: null }],
    [
      'a failure with Retry-After',
      {
        ...agentResult,
        status: 'failed',
        error: { code: 'X', message: '', retryable: true, retry_after_ms: 0 },
      },
    ],
    ['a wake of a run', wake],
    [
      'a wake of an attempt with an offset in its time',
      { ...wake, step_execution_id: 'a-1', timestamp: '2026-01-15T12:30:00+02:00' },
    ],
    ['a step request', { message_type: 'step_request', run_id: 'r', step_execution_id: 'a', timestamp: '' }],
  ])('%s', (_, message) => {
    expect(executorMessage.parse(message)).toEqual(message);
  });

  it('fields that it does not know, and leaves them out', () => {
    expect(executorMessage.parse({ ...wake, trace_id: 'x' })).toEqual(wake);
  });
});

describe('executorMessage refuses', () => {
  it.each<[string, object, string]>([
    ['another type', { ...wake, message_type: 'agent_task' }, 'message_type'],
    ['no type', { run_id: 'r' }, 'message_type'],
    ['no run', { ...wake, run_id: undefined }, 'run_id'],
    ['an empty run', { ...wake, run_id: '' }, 'run_id'],
    ['a run id of 256 characters', { ...wake, run_id: 'r'.repeat(256) }, 'run_id'],
    ['a wake at no time', { ...wake, timestamp: 'now' }, 'timestamp'],
    ['a plan that is a list', { ...executionRequest, workflow_plan: [] }, 'workflow_plan'],
    ['no plan', { ...executionRequest, workflow_plan: undefined }, 'workflow_plan'],
    ['an answer of attempt 0', { ...agentResult, attempt: 0 }, 'attempt'],
    ['an answer of another status', { ...agentResult, status: 'done' }, 'status'],
    ['an answer without a token', { ...agentResult, result_token: undefined }, 'result_token'],
    ['an error that is text', { ...agentResult, status: 'failed', error: 'boom' }, 'error'],
    ['a reason of 4,001 characters', { ...cancellationRequest, reason: 'x'.repeat(4_001) }, 'reason'],
    ['a name of 256 characters', { ...cancellationRequest, cancelled_by: 'x'.repeat(256) }, 'cancelled_by'],
  ])('%s', (_, message, path) => {
    const parsed = executorMessage.safeParse(message);
    expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
