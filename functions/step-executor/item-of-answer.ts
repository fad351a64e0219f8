import { cleanMessage, jsonText } from '../../shared/agents/error-text.ts';
import { readReport } from '../../shared/agents/read-error.ts';
import { codeOfProblem } from '../../shared/agents/read-output.ts';
import type { BatchItem } from '../../shared/application/batch.ts';
import { limits } from '../../shared/config/limits.ts';
import type { AgentFailure, AgentOutcome } from '../../shared/engine/event.ts';
import { isJsonObject, type Json, type JsonObject } from '../../shared/engine/json.ts';
import { storableText } from '../../shared/engine/storable-text.ts';
import { parseMessage } from '../../shared/kafka/parse-record.ts';
import { agentResult, executorMessages } from '../../shared/messages/messages.ts';
import { findChangedNumber, findPayloadProblem } from '../../shared/messages/payload.ts';
import { shortened } from '../../shared/validation/problem.ts';

export type VerifyResultToken = (subject: string, token: string) => boolean;

export interface AnswerReading {
  readonly verify: VerifyResultToken;
  /** The record's, where it is JSON. */
  readonly text?: () => string;
  /** Why it is none. */
  readonly damage?: string;
}

export type TranslatedAnswer =
  | { readonly ok: true; readonly item: BatchItem }
  | { readonly ok: false; readonly reason: string };

/** Only what names the attempt, and vouches for the sender. */
const envelope = agentResult.pick({ run_id: true, step_execution_id: true, result_token: true });

/** By its type; or by the token, which only an answer has, where an agent left the type out or sent the task's back. */
export function looksLikeAnswer(value: Json): value is JsonObject {
  if (!isJsonObject(value)) return false;
  const type = value.message_type;
  if (type === 'agent_result') return true;
  const isAnother = typeof type === 'string' && Object.hasOwn(executorMessages, type);
  return !isAnother && typeof value.result_token === 'string';
}

/**
 * An answer with the right token settles its attempt: as it says, read as well as it can be; or, where it cannot be used, as a
 * failure that says what was wrong. As a dead letter it would leave the step waiting for its deadline, with nobody told.
 * The number of the attempt is not compared: the id is one attempt's only.
 */
export function itemOfAnswer(value: JsonObject, reading: AnswerReading): TranslatedAnswer {
  const read = parseMessage(envelope, value);
  if (!read.ok) return read;
  const { run_id: runId, step_execution_id: stepExecutionId, result_token } = read.message;
  if (!reading.verify(stepExecutionId, result_token)) {
    return { ok: false, reason: 'result_token: expected the token of the task' };
  }
  const outcome = outcomeOf(value, reading);
  const logs = logsOf(value.logs);
  return {
    ok: true,
    item: { runId, event: { type: 'agent_answered', stepExecutionId, attempt: null, outcome, logs } },
  };
}

function outcomeOf(value: JsonObject, reading: AnswerReading): AgentOutcome {
  const { output_data: output = null, error } = value;
  const status = typeof value.status === 'string' ? value.status.trim().toLowerCase() : null;
  if (status === 'completed') {
    const refusal = refusalOf(output, reading);
    return refusal === null ? { status: 'completed', output } : { status: 'failed', error: refusal };
  }
  // What has an error has failed, whatever its agent calls that.
  if (status === 'failed' || (error !== undefined && error !== null)) {
    return { status: 'failed', error: readReport(error, true) };
  }
  const got = shortened(jsonText(value.status ?? null) ?? 'something else', 100);
  return {
    status: 'failed',
    error: unusable('AGENT_ANSWER_INVALID', `status: expected completed or failed, got ${got}`),
  };
}

function refusalOf(output: Json, { text, damage }: AnswerReading): AgentFailure | null {
  if (damage !== undefined) return unusable('AGENT_ANSWER_NOT_JSON', damage);
  const problem = findPayloadProblem(output, limits);
  if (problem !== null) {
    const at = problem.path === '' ? 'output_data' : `output_data.${problem.path}`;
    return { code: codeOfProblem[problem.code], message: `${at}: ${problem.message}`, retryable: false };
  }
  const changed = text ? findChangedNumber(text(), 'output_data') : null;
  if (changed !== null) {
    const { code, path, message } = changed;
    return { code: codeOfProblem[code], message: `${path}: ${message}`, retryable: false };
  }
  // Only now: to write JSON is recursive, and what is too deep would overflow the stack.
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes <= limits.maxPayloadBytes) return null;
  const message = `The agent's output is larger than the limit of ${limits.maxPayloadBytes} bytes of JSON: ${bytes}`;
  return { code: 'DATA_LIMIT', message, retryable: false };
}

function unusable(code: string, expectation: string): AgentFailure {
  const message = cleanMessage(`The agent's answer cannot be used: ${expectation}`);
  return { code, message, retryable: false };
}

/** A text is its lines; of other things than texts, their JSON. */
function logsOf(value: Json | undefined): readonly string[] | null {
  if (value === undefined || value === null) return null;
  const lines = typeof value === 'string' ? value.split('\n', limits.maxLogLines) : value;
  const list: readonly Json[] = Array.isArray(lines) ? lines : [value];
  return list
    .slice(0, limits.maxLogLines)
    .map((line) => (typeof line === 'string' ? line : (jsonText(line) ?? '')))
    .map((line) => storableText(line, limits.maxLogLineLength));
}
