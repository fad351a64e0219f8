import { emulatedAccount, emulatedRegion, largestEvent } from '../invocation.ts';

export interface SourceMessage {
  key: Buffer | null;
  value: Buffer | null;
  /** A name may come more than once. */
  headers: readonly (readonly [string, Buffer])[];
}

/** A record as it waits in a mapping, with what its place in an event will cost. */
export interface SourceRecord {
  offset: number;
  timestamp: number;
  message: SourceMessage;
  /** Bytes of its JSON in an event; never too low. */
  eventBytes: number;
}

export interface EventRecord {
  topic: string;
  partition: number;
  offset: number;
  timestamp: number;
  timestampType: 'CREATE_TIME';
  key?: string;
  value?: string;
  headers: Record<string, number[]>[];
}

export interface KafkaEvent {
  eventSource: 'aws:kafka';
  eventSourceArn: string;
  bootstrapServers: string;
  records: Record<string, EventRecord[]>;
}

export const clusterArn = `arn:aws:kafka:${emulatedRegion}:${emulatedAccount}:cluster/stepline/00000000-0000-0000-0000-000000000000-1`;

/** What the envelope around the records may take, generously. */
export const roomForRecords = largestEvent - 2_048;

const fieldsBytes = 200;

export function sourceRecord(
  { offset, timestamp, ...message }: SourceMessage & Pick<SourceRecord, 'offset' | 'timestamp'>,
  topic: string,
): SourceRecord {
  const base64 = (bytes: Buffer | null) => (bytes === null ? 0 : Math.ceil(bytes.length / 3) * 4);
  let eventBytes = fieldsBytes + topic.length + base64(message.key) + base64(message.value);
  for (const [name, value] of message.headers) {
    // A byte is at most `-128,`.
    eventBytes += 16 + 6 * name.length + 5 * value.length;
  }
  return { offset, timestamp, message, eventBytes };
}

/** The event of an MSK mapping. Real ones may mix partitions; here one holds the records of one partition. */
export function kafkaEvent(
  topic: string,
  partition: number,
  bootstrapServers: string,
  records: readonly SourceRecord[],
): KafkaEvent {
  return {
    eventSource: 'aws:kafka',
    eventSourceArn: clusterArn,
    bootstrapServers,
    records: { [`${topic}-${partition}`]: records.map((record) => eventRecord(topic, partition, record)) },
  };
}

function eventRecord(
  topic: string,
  partition: number,
  { offset, timestamp, message }: SourceRecord,
): EventRecord {
  return {
    topic,
    partition,
    offset,
    timestamp,
    timestampType: 'CREATE_TIME',
    // A null key or value, such as a tombstone's, is left out.
    ...(message.key && { key: message.key.toString('base64') }),
    ...(message.value && { value: message.value.toString('base64') }),
    headers: message.headers.map(([name, value]) => ({ [name]: signedBytes(value) })),
  };
}

/** The mapping's poller is Java, whose bytes go from -128 to 127, and so do the numbers in the event. */
function signedBytes(bytes: Buffer): number[] {
  return Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length));
}
