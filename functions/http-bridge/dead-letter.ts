import { limits } from '../../shared/config/limits.ts';
import type { MskRecord } from '../../shared/kafka/msk-event.ts';
import type { OutgoingRecord } from '../../shared/kafka/producer.ts';
import type { DeadLetter } from '../../shared/messages/messages.ts';

/** Base64 text that still fits a record of ours. A larger value stays where it came from; the coordinates say where. */
const MAX_VALUE_LENGTH = limits.maxRecordBytes - 64 * 1024;

export function deadLetterOf(
  deadLetterTopic: string,
  record: MskRecord,
  reason: string,
  nowMs: number,
): OutgoingRecord {
  const { topic, partition, offset } = record;
  const value = record.value ?? null;
  const message = {
    message_type: 'dead_letter',
    reason,
    topic,
    partition,
    offset,
    key: record.key ?? null,
    value: value !== null && value.length > MAX_VALUE_LENGTH ? null : value,
    timestamp: new Date(nowMs).toISOString(),
  } satisfies DeadLetter;
  return { topic: deadLetterTopic, key: `${topic}-${partition}-${offset}`, value: message };
}
