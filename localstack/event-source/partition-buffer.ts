import { roomForRecords, type SourceRecord } from './kafka-event.ts';

// Enough to keep a function busy while the next fetch is under way, without holding a backlog in memory.
const fullAtBytes = 8 * 1024 * 1024;
const fewestBuffered = 500;

/** The records of one partition that were fetched and not yet given to the function, in order. */
export class PartitionBuffer {
  readonly #batchSize: number;
  readonly #fullAtCount: number;
  #records: SourceRecord[] = [];
  #bytes = 0;
  /** The highest offset that ever left this buffer: what is fetched a second time after a rebalance is not given twice. */
  #lastTaken = -1;

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
    this.#fullAtCount = Math.max(2 * batchSize, fewestBuffered);
  }

  push(records: readonly SourceRecord[]): void {
    for (const record of records) {
      if (record.offset <= this.#lastTaken) continue;
      this.#records.push(record);
      this.#bytes += record.eventBytes;
    }
  }

  /** The group has a new generation, and fetching starts again from what is committed. */
  dropFetched(): void {
    this.#records = [];
    this.#bytes = 0;
  }

  isEmpty(): boolean {
    return this.#records.length === 0;
  }

  isFull(): boolean {
    return this.#records.length >= this.#fullAtCount || this.#bytes >= fullAtBytes;
  }

  hasRoom(): boolean {
    return this.#records.length <= this.#fullAtCount / 2 && this.#bytes <= fullAtBytes / 2;
  }

  hasFullBatch(): boolean {
    return this.#records.length >= this.#batchSize || this.#bytes >= roomForRecords;
  }

  /** Up to a batch, and no more than fits into one event; one record alone is always taken. */
  take(): SourceRecord[] {
    let count = 0;
    let bytes = 0;
    for (const record of this.#records) {
      bytes += record.eventBytes;
      if (count === this.#batchSize || (count > 0 && bytes > roomForRecords)) break;
      count += 1;
    }
    const batch = this.#records.splice(0, count);
    for (const record of batch) this.#bytes -= record.eventBytes;
    this.#lastTaken = batch.at(-1)?.offset ?? this.#lastTaken;
    return batch;
  }
}
