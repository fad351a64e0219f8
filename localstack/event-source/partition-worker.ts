import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InvocationResult, Invoker } from '../invocation.ts';
import { batchOutcome } from './batch-outcome.ts';
import type { Discard } from './failure-record.ts';
import { type KafkaEvent, roomForRecords, type SourceRecord } from './kafka-event.ts';
import { type MappingSettings, retryLimit } from './mapping-settings.ts';
import { PartitionBuffer } from './partition-buffer.ts';

export interface PartitionWorkerOptions {
  settings: MappingSettings;
  partition: number;
  invoker: Invoker;
  retryBackoffMs: { first: number; longest: number };
  eventOf(records: readonly SourceRecord[]): KafkaEvent;
  /** Everything before this offset is done. */
  onDone(nextOffset: number): void;
  /** Resolves to true when the records are where given-up records go, to false when the worker was stopped before that. */
  discard(records: readonly SourceRecord[], discard: Discard, stopping: AbortSignal): Promise<boolean>;
  onTaken(): void;
  onFailedInvocation(result: InvocationResult, records: readonly SourceRecord[]): void;
}

/** Records that are given together, and how often their first one has been in an invocation that failed on it. */
interface Stretch {
  records: readonly SourceRecord[];
  failedInvocations: number;
}

/** Gives one partition's records to the function: in order, one invocation at a time, for as long as it is not stopped. */
export class PartitionWorker {
  readonly buffer: PartitionBuffer;
  /** Resolves when the last invocation of a stopped worker is over. */
  readonly ended: Promise<void>;
  readonly #options: PartitionWorkerOptions;
  readonly #stopping = new AbortController();
  #wake: () => void = () => {};
  #paused = false;
  #failuresInARow = 0;
  /** Where fetching goes on once what was fetched is done: beyond the last record, and the markers that follow it. */
  #position = 0;
  #doneUpTo = 0;

  /** `after` is when the partition's former worker has ended: two never invoke for one partition at a time. */
  constructor(options: PartitionWorkerOptions, after: Promise<void>) {
    this.#options = options;
    this.buffer = new PartitionBuffer(options.settings.batchSize);
    this.ended = after.then(() => this.#run());
  }

  /** @param nextOffset where fetching goes on, which is beyond the last record where a transaction has left its marker */
  push(records: readonly SourceRecord[], nextOffset: number): void {
    this.buffer.push(records);
    this.#position = nextOffset;
    this.#wake();
  }

  /** The group has a new generation, and fetching starts again from what is committed. */
  dropFetched(): void {
    this.buffer.dropFetched();
    this.#position = 0;
  }

  set paused(paused: boolean) {
    this.#paused = paused;
    this.#wake();
  }

  /** Nothing new is begun; what an invocation under way has done still counts. */
  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.buffer.isEmpty() && this.#position > this.#doneUpTo) this.#done(this.#position);
      if (this.#paused || this.buffer.isEmpty()) {
        await this.#change();
        continue;
      }
      await this.#waitForBatch();
      if (this.#paused || this.#stopping.signal.aborted) continue;
      const batch = this.buffer.take();
      this.#options.onTaken();
      await this.#carryOut(batch);
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The batching window is open from the first record on, until the batch is full. */
  async #waitForBatch(): Promise<void> {
    const windowMs = this.#options.settings.maximumBatchingWindowInMs ?? 0;
    if (windowMs === 0) return;
    const closed = this.#sleep(windowMs).then(() => true);
    while (!this.buffer.hasFullBatch() && !this.#stopping.signal.aborted) {
      if (await Promise.race([closed, this.#change().then(() => false)])) return;
    }
  }

  async #carryOut(batch: readonly SourceRecord[]): Promise<void> {
    const { settings } = this.#options;
    // The next on top.
    const stretches: Stretch[] = [{ records: batch, failedInvocations: 0 }];
    while (!this.#stopping.signal.aborted) {
      const stretch = await this.#withoutUndeliverable(stretches.pop());
      if (stretch === undefined) {
        if (stretches.length === 0) return;
        continue;
      }
      const { records } = stretch;
      const requestId = randomUUID();
      const result = await this.#options.invoker.invoke(this.#options.eventOf(records), { requestId });
      const outcome = batchOutcome(
        result,
        `${settings.topic}-${this.#options.partition}`,
        records.map((record) => record.offset),
        settings.reportBatchItemFailures ?? false,
      );
      const lastDone = records[outcome.done - 1];
      if (lastDone) {
        this.#failuresInARow = 0;
        this.#done(lastDone.offset + 1);
      }
      const left = records.slice(outcome.done);
      if (left.length === 0) {
        if (stretches.length === 0) return;
        continue;
      }

      this.#options.onFailedInvocation(result, left);
      const failedInvocations = outcome.done > 0 ? 1 : stretch.failedInvocations + 1;
      if (outcome.asAWhole && settings.bisectBatchOnFunctionError && left.length > 1) {
        // Splitting does not count as an attempt.
        const middle = Math.ceil(left.length / 2);
        stretches.push({ records: left.slice(middle), failedInvocations: 0 });
        stretches.push({ records: left.slice(0, middle), failedInvocations: 0 });
      } else if (failedInvocations > retryLimit(settings)) {
        const invokeCount = failedInvocations;
        await this.#giveUp(left, {
          condition: 'RetriesExhausted',
          requestId,
          invokeCount,
          lastResult: result,
        });
        continue;
      } else {
        stretches.push({ records: left, failedInvocations });
      }
      await this.#backOff();
    }
  }

  /** Takes out, to where given-up records go, what may not be given to the function any more. */
  async #withoutUndeliverable(stretch: Stretch | undefined): Promise<Stretch | undefined> {
    if (stretch === undefined) return undefined;
    const maximumAge = this.#options.settings.maximumRecordAgeInSeconds ?? -1;
    const oldest = maximumAge < 0 ? Number.NEGATIVE_INFINITY : Date.now() - maximumAge * 1000;
    let { records } = stretch;
    for (let first = records[0]; first !== undefined; first = records[0]) {
      const tooOld = first.timestamp < oldest;
      if (!tooOld && first.eventBytes <= roomForRecords) return { ...stretch, records };
      await this.#giveUp([first], {
        condition: tooOld ? 'RecordAgeExceeded' : 'MaximumPayloadSizeExceeded',
        requestId: randomUUID(),
        invokeCount: stretch.failedInvocations,
      });
      records = records.slice(1);
    }
    return undefined;
  }

  async #giveUp(records: readonly SourceRecord[], discard: Discard): Promise<void> {
    const last = records.at(-1);
    if (!last || !(await this.#options.discard(records, discard, this.#stopping.signal))) return;
    this.#failuresInARow = 0;
    this.#done(last.offset + 1);
  }

  #done(nextOffset: number): void {
    this.#doneUpTo = nextOffset;
    this.#options.onDone(nextOffset);
  }

  async #backOff(): Promise<void> {
    const { first, longest } = this.#options.retryBackoffMs;
    await this.#sleep(Math.min(first * 2 ** this.#failuresInARow, longest));
    this.#failuresInARow += 1;
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}
