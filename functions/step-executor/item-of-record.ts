import type { BatchItem } from '../../shared/application/batch.ts';
import { limits } from '../../shared/config/limits.ts';
import type { EngineEvent } from '../../shared/engine/event.ts';
import type { Json } from '../../shared/engine/json.ts';
import type { MskRecord } from '../../shared/kafka/msk-event.ts';
import { parseRecord } from '../../shared/kafka/parse-record.ts';
import { type AgentResult, type ExecutorMessage, executorMessage } from '../../shared/messages/messages.ts';
import { findPayloadProblem } from '../../shared/messages/payload.ts';
import { retryTokenSubject } from '../../shared/messages/retry-token.ts';

export type TranslatedRecord =
  | { readonly ok: true; readonly item: BatchItem }
  /** To the dead-letter topic, with the reason. */
  | { readonly ok: false; readonly reason: string };

export type VerifyResultToken = (stepExecutionId: string, token: string) => boolean;

/** What a record means for its run. */
export function itemOfRecord(record: MskRecord, verifyResultToken: VerifyResultToken): TranslatedRecord {
  // What an agent answered is checked for itself below: a bad answer fails its attempt instead of being a dead letter.
  const parsed = parseRecord(executorMessage, record, ['output_data', 'error', 'logs']);
  if (!parsed.ok) return parsed;
  const { message } = parsed;
  if (
    message.message_type === 'agent_result' &&
    !verifyResultToken(message.step_execution_id, message.result_token)
  ) {
    return { ok: false, reason: 'result_token: expected the token of the task' };
  }
  if (
    message.message_type === 'retry_request' &&
    !verifyResultToken(retryTokenSubject(message), message.retry_token)
  ) {
    return {
      ok: false,
      reason: 'retry_token: expected the token of the run and of the step that waits for it',
    };
  }
  const item: BatchItem = { runId: message.run_id, event: eventOf(message) };
  const isRequest = message.message_type === 'execution_request';
  return { ok: true, item: isRequest ? { ...item, inlinePlan: message.workflow_plan } : item };
}

function eventOf(message: ExecutorMessage): EngineEvent {
  switch (message.message_type) {
    case 'execution_request':
      return { type: 'execution_requested' };
    case 'cancellation_request': {
      const { cancelled_by, reason } = message;
      return {
        type: 'cancellation_requested',
        by: cancelled_by ?? null,
        reason: reason ?? null,
        announced: true,
        ...requestedAt(message),
      };
    }
    case 'step_request':
      return { type: 'step_requested', stepExecutionId: message.step_execution_id };
    case 'retry_request':
      if (message.is_reminder) {
        return { type: 'answer_requested', parentStepExecutionId: message.step_execution_id };
      }
      return {
        type: 'retry_requested',
        parentStepExecutionId: message.step_execution_id,
        previousParentStepExecutionId: message.previous_step_execution_id ?? null,
        ...requestedAt(message),
      };
    case 'wake': {
      const at = Date.parse(message.timestamp);
      return { type: 'woken', stepExecutionId: message.step_execution_id ?? null, at };
    }
    case 'agent_result':
      return {
        type: 'agent_answered',
        stepExecutionId: message.step_execution_id,
        attempt: message.attempt ?? null,
        outcome: outcomeOf(message),
        logs: message.logs ? message.logs.slice(0, limits.maxLogLines).map((line) => storable(line)) : null,
      };
  }
}

/** Where the sender's clock said something that is a time. */
function requestedAt({ timestamp }: { readonly timestamp: string }): { requestedAt?: number } {
  const at = Date.parse(timestamp);
  return Number.isNaN(at) ? {} : { requestedAt: at };
}

type AgentOutcome = Extract<EngineEvent, { type: 'agent_answered' }>['outcome'];

function outcomeOf({ status, output_data: output = null, error }: AgentResult): AgentOutcome {
  if (status === 'completed') {
    const refusal = refusalOf(output);
    return refusal === null ? { status: 'completed', output } : { status: 'failed', error: refusal };
  }
  return {
    status: 'failed',
    error: {
      code: storable(error?.code ?? 'AGENT_ERROR').slice(0, 255),
      message: storable(error?.message ?? 'The agent failed and said no more', limits.maxErrorMessageLength),
      retryable: error?.retryable ?? true,
      retryAfterMs: error?.retry_after_ms,
    },
  };
}

function refusalOf(output: Json) {
  const problem = findPayloadProblem(output, limits);
  if (problem !== null) {
    const at = problem.path === '' ? 'output_data' : `output_data.${problem.path}`;
    return { code: problem.code, message: `${at}: ${problem.message}`, retryable: false };
  }
  // Only now: to write JSON is recursive, and what is too deep would overflow the stack.
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes <= limits.maxPayloadBytes) return null;
  const message = `The agent's output is larger than the limit of ${limits.maxPayloadBytes} bytes of JSON: ${bytes}`;
  return { code: 'DATA_LIMIT', message, retryable: false };
}

/** Text that Postgres stores: well-formed, without U+0000, cut to a length. */
function storable(text: string, maxLength: number = limits.maxLogLineLength): string {
  return text.slice(0, maxLength).replaceAll('\u0000', '\ufffd').toWellFormed();
}
