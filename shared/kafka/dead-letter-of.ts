import { limits } from '../config/limits.ts';
import { storableText } from '../engine/storable-text.ts';
import type { DeadLetter } from '../messages/messages.ts';
import type { MskRecord } from './msk-event.ts';
import type { OutgoingRecord } from './producer.ts';

/** Base64 text that still fits a record of ours. A larger value stays where it came from; the coordinates say where. */
const MAX_VALUE_LENGTH = limits.maxRecordBytes - 64 * 1024;
const MAX_KEY_LENGTH = 16 * 1024;

/** A record that cannot be dealt with, as it came, with its coordinates and the reason. */
export function deadLetterOf(record: MskRecord, reason: string, topic: string, now: number): OutgoingRecord {
  const value = record.value ?? '';
  const message = {
    message_type: 'dead_letter',
    // It quotes what the record says, which may be long.
    reason: storableText(reason, limits.maxErrorMessageLength),
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    key: (record.key ?? '').length > MAX_KEY_LENGTH ? null : (record.key ?? null),
    value: value.length > MAX_VALUE_LENGTH ? null : (record.value ?? null),
    timestamp: new Date(now).toISOString(),
  } satisfies DeadLetter;
  return { topic, key: `${record.topic}-${record.partition}-${record.offset}`, value: message };
}
