import type { fetchV17, KafkaRecord, RecordsBatch } from '@platformatic/kafka';
import { type SourceRecord, sourceRecord } from './kafka-event.ts';

export interface FetchedRecords {
  readonly records: readonly SourceRecord[];
  /** Where fetching goes on: beyond the last record, and the markers that follow it. */
  readonly nextOffset: number;
}

// Of a batch, as Kafka's format has them.
const LOG_APPEND_TIME = 1 << 3;
const IS_TRANSACTIONAL = 1 << 4;
const IS_CONTROL = 1 << 5;
/** Of a marker, in its key, behind a version of two bytes. */
const ABORT = 0;

/**
 * What a partition has answered, without markers and without what was taken back. The client's own filter passes what was taken back where
 * the marker that says so did not come along.
 * @param from what was asked for: a batch may begin before it
 * @returns null: nothing has come
 */
export function fetchedRecords(
  { records: batches, abortedTransactions }: fetchV17.FetchResponsePartition,
  topic: string,
  from: number,
): FetchedRecords | null {
  const last = batches?.at(-1);
  if (!batches || last === undefined) return null;
  const takenBack = new TakenBack(abortedTransactions ?? []);
  const records = batches
    .filter((batch) => takenBack.mayPass(batch))
    .flatMap((batch) => batch.records.map((record) => recordOf(batch, record, topic)))
    .filter(({ offset }) => offset >= from);
  return { records, nextOffset: lastOffsetOf(last) + 1 };
}

/** Kafka tells where transactions that were taken back begin; where they end, the markers do. Batches are to be asked for in order. */
class TakenBack {
  readonly #toBegin: { producerId: bigint; firstOffset: bigint }[];
  readonly #under = new Set<bigint>();

  constructor(aborted: readonly { producerId: bigint; firstOffset: bigint }[]) {
    this.#toBegin = aborted.toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
  }

  mayPass(batch: RecordsBatch): boolean {
    const last = lastOffsetOf(batch);
    while (this.#toBegin[0] !== undefined && this.#toBegin[0].firstOffset <= last)
      this.#under.add(this.#toBegin.shift()!.producerId);
    if (batch.attributes & IS_CONTROL) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) this.#under.delete(batch.producerId);
      return false;
    }
    return !(batch.attributes & IS_TRANSACTIONAL && this.#under.has(batch.producerId));
  }
}

function lastOffsetOf({ firstOffset, lastOffsetDelta }: RecordsBatch): number {
  return Number(firstOffset) + lastOffsetDelta;
}

function recordOf(batch: RecordsBatch, record: KafkaRecord, topic: string): SourceRecord {
  const { key, value, offsetDelta, timestampDelta } = record;
  const isAppendTime = batch.attributes & LOG_APPEND_TIME;
  return sourceRecord(
    {
      key,
      value,
      headers: record.headers.map(([name, bytes]) => [String(name ?? ''), bytes ?? Buffer.alloc(0)]),
      offset: Number(batch.firstOffset) + offsetDelta,
      timestamp: Number(isAppendTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta),
    },
    topic,
  );
}
