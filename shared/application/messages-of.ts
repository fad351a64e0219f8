import type { Topics } from '../config/topics.ts';
import type { Effect } from '../engine/decision.ts';
import type { AgentTask, CancellationRequest, MonitoringUpdate, StepRequest } from '../messages/messages.ts';
import type { LockedRun, OutgoingMessage, ResultTokens } from './ports.ts';

export interface MessageContext {
  readonly topics: Topics;
  readonly tokens: ResultTokens;
  readonly now: number;
}

/** What a decision's effects are on Kafka (design §4). */
export function messagesOf(
  run: LockedRun,
  effects: readonly Effect[],
  context: MessageContext,
): OutgoingMessage[] {
  const timestamp = new Date(context.now).toISOString();
  return effects.map((effect) => messageOf(run, effect, timestamp, context));
}

function messageOf(
  { run: { runId }, workflowId, owner }: LockedRun,
  effect: Effect,
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
        taskOf: { owner, name: effect.agentName },
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
        timestamp,
        message_type: 'cancellation_request',
      } satisfies CancellationRequest;
      return { topic: topics.cancellationRequests, key: runId, value };
    }
    case 'publish_update': {
      const value = {
        message_type: 'monitoring_update',
        run_id: runId,
        workflow_id: workflowId,
        sequence: effect.sequence,
        status: effect.status,
        step_id: effect.stepId,
        step_status: effect.stepStatus,
        attempt: effect.attempt,
        error_message: effect.errorMessage,
        timestamp,
      } satisfies MonitoringUpdate;
      return { topic: topics.monitoringUpdates, key: runId, value };
    }
  }
}
