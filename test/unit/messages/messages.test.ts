import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { executorMessages } from '../../../shared/messages/messages.ts';

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

type Message = { readonly message_type: string; readonly [field: string]: unknown };

const schemaOf = ({ message_type: type }: Message): z.ZodType =>
  executorMessages[type as keyof typeof executorMessages];

describe('executorMessages take', () => {
  it.each<[string, Message]>([
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
    ['a plan of any kind, to be told of in its run', { ...executionRequest, workflow_plan: [] }],
    [
      'an answer whose details are odd',
      { ...agentResult, status: 'DONE', attempt: '1', error: 'boom', logs: [1], timestamp: 5 },
    ],
    [
      'a cancellation whose details are odd',
      { ...cancellationRequest, reason: {}, cancelled_by: 5, timestamp: null },
    ],
    ['a wake of a run', wake],
    [
      'a wake of an attempt with an offset in its time',
      { ...wake, step_execution_id: 'a-1', timestamp: '2026-01-15T12:30:00+02:00' },
    ],
    ['a step request', { message_type: 'step_request', run_id: 'r', step_execution_id: 'a', timestamp: '' }],
  ])('%s', (_, message) => {
    expect(schemaOf(message).parse(message)).toEqual(message);
  });

  it('fields that it does not know, and leaves them out', () => {
    expect(executorMessages.wake.parse({ ...wake, trace_id: 'x' })).toEqual(wake);
  });
});

describe('executorMessages refuse', () => {
  it.each<[string, Message, string]>([
    ['no run', { ...wake, run_id: undefined }, 'run_id'],
    ['an empty run', { ...wake, run_id: '' }, 'run_id'],
    ['a run id of 256 characters', { ...wake, run_id: 'r'.repeat(256) }, 'run_id'],
    ['a wake at no time', { ...wake, timestamp: 'now' }, 'timestamp'],
    ['an answer without a token', { ...agentResult, result_token: undefined }, 'result_token'],
  ])('%s', (_, message, path) => {
    const parsed = schemaOf(message).safeParse(message);
    expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toEqual([path]);
  });
});
