import type { Topics } from '../config/topics.ts';
import type { Effect } from '../engine/effects.ts';
import type {
  AgentResult,
  AgentTask,
  CancellationRequest,
  ExecutionRequest,
  RetryRequest,
  StepRequest,
} from '../messages/messages.ts';
import { cancellationTokenSubject, retryTokenSubject } from '../messages/token-subjects.ts';
import type { ResultTokens } from './ports/agents.ts';
import type { OutgoingMessage } from './ports/publishing.ts';
import type { LoadedRun } from './ports/run-store.ts';
import { type Told, updatesOf } from './updates-of.ts';

export interface MessageContext {
  readonly topics: Topics;
  readonly tokens: ResultTokens;
  readonly now: number;
}

/** What a decision's effects are on Kafka (design §4): what carries it out, and what tells of it. */
export function messagesOf(
  run: LoadedRun,
  effects: readonly Effect[],
  context: MessageContext,
): OutgoingMessage[] {
  const timestamp = new Date(context.now).toISOString();
  const told: Told[] = [];
  const messages: OutgoingMessage[] = [];
  for (const effect of effects) {
    if (effect.type === 'publish_update') told.push(effect);
    else messages.push(messageOf(run, effect, timestamp, context));
  }
  const topic = context.topics.monitoringUpdates;
  for (const value of updatesOf(run, told, timestamp)) messages.push({ topic, key: run.run.runId, value });
  return messages;
}

function messageOf(
  { run: { runId }, owner }: LoadedRun,
  effect: Exclude<Effect, Told>,
  timestamp: string,
  { topics, tokens }: MessageContext,
): OutgoingMessage {
  switch (effect.type) {
    case 'dispatch_task': {
      const value = {
        message_type: 'agent_task',
        run_id: runId,
        step_execution_id: effect.stepExecutionId,
        step_id: effect.stepId,
        agent_name: effect.agentName,
        attempt: effect.attempt,
        input_data: effect.inputData,
        idempotency_key: effect.idempotencyKey,
        deadline: new Date(effect.deadlineAt).toISOString(),
        result_token: tokens.resultToken(effect.stepExecutionId),
        timestamp,
      } satisfies AgentTask;
      return {
        // An agent that nobody knows is the HTTP bridge's to tell the run of.
        topic: topics.httpTasks,
        // By attempt, so that a wide fan-out spreads over the partitions.
        key: effect.stepExecutionId,
        value,
        taskOf: {
          owner,
          name: effect.agentName,
          timeoutMs: effect.timeoutMs,
          ...(effect.stepsPerInvocation !== undefined && { stepsPerInvocation: effect.stepsPerInvocation }),
        },
      };
    }
    case 'request_step': {
      const value = {
        message_type: 'step_request',
        run_id: runId,
        step_execution_id: effect.stepExecutionId,
        timestamp,
      } satisfies StepRequest;
      return { topic: topics.stepRequests, key: runId, value };
    }
    case 'announce_cancellation': {
      const value = {
        run_id: runId,
        cancelled_by: effect.by,
        reason: effect.reason,
        cancellation_token: tokens.resultToken(cancellationTokenSubject({ run_id: runId, timestamp })),
        timestamp,
        message_type: 'cancellation_request',
      } satisfies CancellationRequest;
      return { topic: topics.cancellationRequests, key: runId, value };
    }
    case 'start_child': {
      const value = {
        run_id: effect.childRunId,
        input_data: effect.inputData,
        timestamp,
        message_type: 'execution_request',
      } satisfies Omit<ExecutionRequest, 'workflow_plan'>;
      const planOf = effect.workflow.versionId;
      return { topic: topics.executionRequests, key: effect.childRunId, value, planOf };
    }
    case 'cancel_child': {
      const about = { run_id: effect.childRunId, timestamp: new Date(effect.requestedAt).toISOString() };
      const value = {
        ...about,
        cancelled_by: null,
        reason: effect.reason,
        cancellation_token: tokens.resultToken(cancellationTokenSubject(about)),
        message_type: 'cancellation_request',
      } satisfies CancellationRequest;
      return { topic: topics.cancellationRequests, key: effect.childRunId, value };
    }
    case 'retry_child': {
      const ids = { run_id: effect.childRunId, step_execution_id: effect.stepExecutionId };
      const value = {
        message_type: 'retry_request',
        ...ids,
        previous_step_execution_id: effect.previousStepExecutionId,
        retry_token: tokens.resultToken(retryTokenSubject(ids)),
        timestamp,
      } satisfies RetryRequest;
      return { topic: topics.stepRequests, key: effect.childRunId, value };
    }
    case 'ask_child': {
      const ids = { run_id: effect.childRunId, step_execution_id: effect.stepExecutionId };
      const value = {
        message_type: 'retry_request',
        ...ids,
        is_reminder: true,
        retry_token: tokens.resultToken(retryTokenSubject(ids)),
        timestamp,
      } satisfies RetryRequest;
      return { topic: topics.stepRequests, key: effect.childRunId, value };
    }
    case 'answer_parent': {
      const { outcome } = effect;
      const value = {
        message_type: 'agent_result',
        run_id: effect.runId,
        step_execution_id: effect.stepExecutionId,
        ...('output' in outcome
          ? { status: 'completed', output_data: outcome.output }
          : { status: 'failed', error: { ...outcome.error } }),
        result_token: tokens.resultToken(effect.stepExecutionId),
        timestamp,
      } satisfies AgentResult;
      return { topic: topics.results, key: effect.runId, value };
    }
  }
}
