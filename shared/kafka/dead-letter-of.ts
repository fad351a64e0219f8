import type { DeadLetter } from '../messages/messages.ts';
import type { MskRecord } from './msk-event.ts';
import type { OutgoingRecord } from './producer.ts';

/** A record that cannot be dealt with, as it came, with its coordinates and the reason. */
export function deadLetterOf(record: MskRecord, reason: string, topic: string, now: number): OutgoingRecord {
  const value = {
    message_type: 'dead_letter',
    reason,
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    key: record.key ?? null,
    value: record.value ?? null,
    timestamp: new Date(now).toISOString(),
  } satisfies DeadLetter;
  return { topic, key: `${record.topic}-${record.partition}-${record.offset}`, value };
}
