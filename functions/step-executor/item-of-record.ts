import { cleanMessage, textOf } from '../../shared/agents/error-text.ts';
import type { BatchItem } from '../../shared/application/batch.ts';
import type { EngineEvent } from '../../shared/engine/event.ts';
import { isJsonObject, type Json } from '../../shared/engine/json.ts';
import { storableText } from '../../shared/engine/storable-text.ts';
import { type MskRecord, textOf as recordText } from '../../shared/kafka/msk-event.ts';
import { type Parsed, parseMessage, readRecord } from '../../shared/kafka/parse-record.ts';
import { executorMessages } from '../../shared/messages/messages.ts';
import { findChangedNumbers } from '../../shared/messages/parsing-losses.ts';
import { cancellationTokenSubject, retryTokenSubject } from '../../shared/messages/token-subjects.ts';
import { itemOfAnswer, looksLikeAnswer, type VerifyResultToken } from './item-of-answer.ts';
import { readDamaged } from './read-damaged.ts';

export type TranslatedRecord =
  | { readonly ok: true; readonly item: BatchItem }
  /** To the dead-letter topic, with the reason. */
  | { readonly ok: false; readonly reason: string };

const { agent_result: _, ...others } = executorMessages;
type OtherType = keyof typeof others;

/** Whose clocks are to agree: that of the database, which a wake has the time of, and that of this function. */
const CLOCK_SKEW_MS = 5_000;
const MAX_USER_ID_LENGTH = 255;
const PLAN = 'workflow_plan';

/**
 * What a record means for its run.
 * @param now epoch milliseconds
 */
export function itemOfRecord(record: MskRecord, verify: VerifyResultToken, now: number): TranslatedRecord {
  const read = readRecord(record);
  if (!read.ok) {
    const received = Buffer.from(record.value ?? '', 'base64').toString('utf8');
    return itemOfDamaged(received, read.reason, verify) ?? read;
  }
  const value = read.message;
  const text = () => recordText(record) ?? '';
  // A serializer of JSON that is given JSON writes a string.
  const item =
    typeof value === 'string' ? itemOfDamaged(value, 'expected an object, got text', verify) : null;
  if (item !== null) return item;
  if (looksLikeAnswer(value)) return itemOfAnswer(value, { verify, text });
  const type = isJsonObject(value) ? value.message_type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(others, type)) {
    const expected = Object.keys(executorMessages).join(', ');
    return {
      ok: false,
      reason: `message_type: expected one of ${expected}, got ${storableText(JSON.stringify(type) ?? 'undefined', 100)}`,
    };
  }
  return readers[type as OtherType](value, { verify, now, text });
}

/** Whatever was lost of it: an answer whose token can be read settles its attempt. Null for anything else. */
function itemOfDamaged(text: string, damage: string, verify: VerifyResultToken): TranslatedRecord | null {
  const damaged = readDamaged(text);
  const item = looksLikeAnswer(damaged) ? itemOfAnswer(damaged, { verify, damage }) : null;
  return item?.ok ? item : null;
}

interface Reading {
  readonly verify: VerifyResultToken;
  readonly now: number;
  /** The record's. */
  readonly text: () => string;
}

const readers: Readonly<Record<OtherType, (value: Json, reading: Reading) => TranslatedRecord>> = {
  execution_request(value, { text }) {
    // The run's own input is in its row.
    const read = parseMessage(others.execution_request, value, [PLAN, 'input_data', 'timestamp']);
    const losses = findChangedNumbers(text(), PLAN).map(({ path, message }) => ({
      path: path.slice(PLAN.length + 1),
      message,
    }));
    return translated(read, ({ run_id, workflow_plan = null }) => ({
      runId: run_id,
      event: { type: 'execution_requested' },
      inlinePlan: workflow_plan,
      ...(losses.length > 0 && { inlinePlanLosses: losses }),
    }));
  },
  cancellation_request(value, { verify }) {
    const read = parseMessage(others.cancellation_request, value, ['cancelled_by', 'reason', 'timestamp']);
    if (!read.ok) return read;
    const { run_id, cancelled_by, reason, cancellation_token: token, timestamp } = read.message;
    if (
      typeof token === 'string' &&
      !(typeof timestamp === 'string' && verify(cancellationTokenSubject({ run_id, timestamp }), token))
    ) {
      return { ok: false, reason: 'cancellation_token: expected the token of the run and of the timestamp' };
    }
    const event: EngineEvent = {
      type: 'cancellation_requested',
      by: storable(cancelled_by, MAX_USER_ID_LENGTH),
      reason: storable(reason),
      announced: true,
      ...requestedAt(timestamp),
    };
    return {
      ok: true,
      item: { runId: run_id, event, ...(typeof token !== 'string' && { onlyOfNobody: true }) },
    };
  },
  step_request: (value) =>
    translated(parseMessage(others.step_request, value), ({ run_id, step_execution_id }) => ({
      runId: run_id,
      event: { type: 'step_requested', stepExecutionId: step_execution_id },
    })),
  retry_request(value, { verify }) {
    const read = parseMessage(others.retry_request, value);
    if (read.ok && !verify(retryTokenSubject(read.message), read.message.retry_token)) {
      const reason = 'retry_token: expected the token of the run and of the step that waits for it';
      return { ok: false, reason };
    }
    return translated(read, ({ run_id: runId, step_execution_id: parentStepExecutionId, ...asked }) =>
      asked.is_reminder
        ? { runId, event: { type: 'answer_requested', parentStepExecutionId } }
        : {
            runId,
            event: {
              type: 'retry_requested',
              parentStepExecutionId,
              previousParentStepExecutionId: asked.previous_step_execution_id ?? null,
              ...requestedAt(asked.timestamp),
            },
          },
    );
  },
  wake: (value, { now }) =>
    translated(parseMessage(others.wake, value), ({ run_id, step_execution_id, timestamp }) => {
      // Nothing is due before its time, whoever wrote the record: it has no token.
      const at = Math.min(Date.parse(timestamp), now + CLOCK_SKEW_MS);
      return { runId: run_id, event: { type: 'woken', stepExecutionId: step_execution_id ?? null, at } };
    }),
};

function translated<T>(read: Parsed<T>, itemOf: (message: T) => BatchItem): TranslatedRecord {
  return read.ok ? { ok: true, item: itemOf(read.message) } : read;
}

function storable(value: Json | undefined, maxLength?: number): string | null {
  const text = storableText(cleanMessage(textOf(value) ?? ''), maxLength);
  return text === '' ? null : text;
}

/** Below it a time of Unix is in seconds, from it on in milliseconds. */
const MILLISECONDS_FROM = 100_000_000_000;

/** Where the sender's clock said something that is a time. */
function requestedAt(timestamp: Json | undefined): { requestedAt?: number } {
  const unix = typeof timestamp === 'number' ? timestamp : null;
  const at = unix === null ? Date.parse(String(timestamp)) : unix < MILLISECONDS_FROM ? unix * 1_000 : unix;
  return Number.isNaN(at) ? {} : { requestedAt: at };
}
