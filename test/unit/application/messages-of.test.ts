import { describe, expect, it } from 'vitest';
import { messagesOf } from '../../../shared/application/messages-of.ts';
import type { OutgoingMessage } from '../../../shared/application/ports/publishing.ts';
import { limits } from '../../../shared/config/limits.ts';
import { topicsFor } from '../../../shared/config/topics.ts';
import type { Effect } from '../../../shared/engine/effects.ts';
import type { MonitoringUpdate } from '../../../shared/messages/messages.ts';
import { run, T0 } from '../../support/engine-states.ts';

const context = {
  topics: topicsFor({ prefix: '', executionTopic: 'requests', cancellationTopic: 'cancellations' }),
  tokens: { resultToken: (subject: string) => `token-of-${subject}` },
  now: T0,
};
const timestamp = '2026-01-15T10:30:00.000Z';
const locked = { run: run(), versionId: 'v-1', owner: 'ann', workflowId: 'wf-a-1' };

type Transition = MonitoringUpdate['transitions'][number];

const update = {
  type: 'publish_update',
  sequence: 3,
  status: 'RUNNING',
  stepId: 'a',
  scope: '',
  stepStatus: 'RUNNING',
  attempt: 1,
  errorMessage: null,
} as const;
const transition: Transition = {
  sequence: 3,
  status: 'RUNNING',
  step_id: 'a',
  scope: null,
  step_status: 'RUNNING',
  attempt: 1,
  error_message: null,
};
const updateMessage = (...transitions: Transition[]) => ({
  message_type: 'monitoring_update',
  run_id: 'run-1',
  workflow_id: 'wf-a-1',
  ...(transitions.at(-1) as Transition),
  transitions,
  timestamp,
});

describe('an effect is a message', () => {
  it.each<[string, Effect, OutgoingMessage]>([
    [
      'to begin a child, whose plan is put in at publishing',
      {
        type: 'start_child',
        childRunId: 'run-2',
        workflow: { workflowId: 'w-2', versionId: 'v-2', name: 'other', version: 3 },
        inputData: { n: 1 },
        depth: 1,
        parentStepExecutionId: 'a-1',
      },
      {
        topic: 'requests',
        key: 'run-2',
        value: { run_id: 'run-2', input_data: { n: 1 }, timestamp, message_type: 'execution_request' },
        planOf: 'v-2',
      },
    ],
    [
      'to cancel a child',
      { type: 'cancel_child', childRunId: 'run-2', reason: 'enough', requestedAt: T0 + 1 },
      {
        topic: 'cancellations',
        key: 'run-2',
        value: {
          run_id: 'run-2',
          cancelled_by: null,
          cancellation_token: 'token-of-cancel run-2 2026-01-15T10:30:00.001Z',
          reason: 'enough',
          timestamp: new Date(T0 + 1).toISOString(),
          message_type: 'cancellation_request',
        },
      },
    ],
    [
      'to retry a child, with a token of both ids',
      {
        type: 'retry_child',
        childRunId: 'run-2',
        stepExecutionId: 'a-2',
        previousStepExecutionId: 'a-1',
      },
      {
        topic: 'workflow.step.requests',
        key: 'run-2',
        value: {
          message_type: 'retry_request',
          run_id: 'run-2',
          step_execution_id: 'a-2',
          previous_step_execution_id: 'a-1',
          retry_token: 'token-of-retry run-2 a-2',
          timestamp,
        },
      },
    ],
    [
      'to ask a child whether it has ended',
      { type: 'ask_child', childRunId: 'run-2', stepExecutionId: 'a-2' },
      {
        topic: 'workflow.step.requests',
        key: 'run-2',
        value: {
          message_type: 'retry_request',
          run_id: 'run-2',
          step_execution_id: 'a-2',
          is_reminder: true,
          retry_token: 'token-of-retry run-2 a-2',
          timestamp,
        },
      },
    ],
    [
      "with what a child came to, as an agent's answer",
      { type: 'answer_parent', runId: 'run-0', stepExecutionId: 'a-0', outcome: { output: null } },
      {
        topic: 'results.topic',
        key: 'run-0',
        value: {
          message_type: 'agent_result',
          run_id: 'run-0',
          step_execution_id: 'a-0',
          status: 'completed',
          output_data: null,
          result_token: 'token-of-a-0',
          timestamp,
        },
      },
    ],
    [
      'with how a child failed',
      {
        type: 'answer_parent',
        runId: 'run-0',
        stepExecutionId: 'a-0',
        outcome: { error: { code: 'BAD', message: 'no', retryable: false } },
      },
      {
        topic: 'results.topic',
        key: 'run-0',
        value: {
          message_type: 'agent_result',
          run_id: 'run-0',
          step_execution_id: 'a-0',
          status: 'failed',
          error: { code: 'BAD', message: 'no', retryable: false },
          result_token: 'token-of-a-0',
          timestamp,
        },
      },
    ],
  ])('%s', (_, effect, message) => {
    expect(messagesOf(locked, [effect], context)).toEqual([message]);
  });
});

describe('what a decision tells', () => {
  const topic = 'workflow.monitoring.updates';
  const first = { ...update, sequence: 2, stepId: 'b', stepStatus: 'COMPLETED' } as const;

  it('is one record: of the last transition, with all of them', () => {
    const effects = [first, { type: 'request_step', stepExecutionId: 'a-1' } as const, update];
    expect(messagesOf(locked, effects, context).slice(1)).toEqual([
      {
        topic,
        key: 'run-1',
        value: updateMessage(
          { ...transition, sequence: 2, step_id: 'b', step_status: 'COMPLETED' },
          transition,
        ),
      },
    ]);
  });

  it('says in which branch, and that the run is paused', () => {
    const paused = { ...update, scope: 'both#1/left', status: 'PAUSED' } as const;
    expect(messagesOf(locked, [paused], context)).toEqual([
      {
        topic,
        key: 'run-1',
        value: updateMessage({ ...transition, scope: 'both#1/left', status: 'PAUSED' }),
      },
    ]);
  });

  it('is nothing where nothing has changed', () => {
    expect(messagesOf(locked, [], context)).toEqual([]);
  });

  it('is as many records as it needs, none larger than a topic takes', () => {
    // Six bytes of JSON each.
    const errorMessage = '\u0001'.repeat(4_000);
    const all = Array.from(
      { length: 1_000 },
      (_, i): Effect => ({
        ...update,
        sequence: i + 1,
        errorMessage,
      }),
    );
    const records = messagesOf(locked, all, context).map(({ value }) => value as MonitoringUpdate);
    expect(records.flatMap(({ transitions }) => transitions.map(({ sequence }) => sequence))).toEqual(
      all.map((_, i) => i + 1),
    );
    for (const record of records) {
      expect(record.sequence).toBe(record.transitions.at(-1)?.sequence);
      expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThan(limits.maxRecordBytes / 2);
    }
    expect(records.length).toBeLessThan(100);
  });
});
