import { setTimeout as sleep } from 'node:timers/promises';
import { type Consumer, type EachBatchPayload, Kafka, logLevel } from 'kafkajs';
import { registerCodecs } from '../../shared/kafka/compression/codecs.ts';
import { socketWithoutDelay } from '../../shared/kafka/socket-without-delay.ts';
import type { Invoker } from '../invocation.ts';
import type { Discard } from './failure-record.ts';
import { kafkaEvent, type SourceRecord, sourceRecord } from './kafka-event.ts';
import type { MappingSettings, MappingTuning } from './mapping-settings.ts';
import { OffsetCommits } from './offset-commits.ts';
import { OnFailureTopic } from './on-failure-topic.ts';
import { PartitionWorker } from './partition-worker.ts';

export interface MappingOptions {
  settings: MappingSettings;
  brokers: readonly string[];
  invoker: Invoker;
  log?: (line: string) => void;
  tuning?: MappingTuning;
}

registerCodecs();

/**
 * Polls one topic for one function, by the rules of an MSK event source mapping. Fetching and invoking are decoupled: the
 * consumer's callback only fills the partitions' buffers, so a slow function holds up neither heartbeats nor its neighbours.
 */
export class EventSourceMapping {
  readonly #settings: MappingSettings;
  readonly #brokers: readonly string[];
  readonly #invoker: Invoker;
  readonly #log: (line: string) => void;
  readonly #tuning: Required<MappingTuning>;
  readonly #commits: OffsetCommits;
  readonly #kafka: Kafka;
  readonly #onFailure: OnFailureTopic | undefined;
  readonly #workers = new Map<number, PartitionWorker>();
  readonly #pausedFetches = new Set<number>();
  #ending = new Map<number, Promise<void>>();
  #consumer: Consumer | undefined;
  #memberId: string | undefined;
  #state: 'new' | 'running' | 'stopped' = 'new';
  #paused = false;

  constructor({ settings, brokers, invoker, log = () => {}, tuning = {} }: MappingOptions) {
    if (settings.onFailureTopic === settings.topic) {
      throw new Error(
        `The on-failure topic of the mapping of ${settings.topic} is the topic itself: name another.`,
      );
    }
    this.#settings = settings;
    this.#brokers = brokers;
    this.#invoker = invoker;
    this.#log = (line) => log(`${settings.topic} → ${settings.functionName}: ${line}`);
    this.#tuning = {
      retryBackoffMs: { first: 100, longest: 5_000 },
      commitDelayMs: 50,
      sessionTimeoutMs: 5_000,
      ...tuning,
    };
    this.#commits = new OffsetCommits(this.#tuning.commitDelayMs);
    this.#kafka = new Kafka({
      clientId: settings.consumerGroupId,
      brokers: [...brokers],
      logLevel: logLevel.NOTHING,
      socketFactory: socketWithoutDelay,
      connectionTimeout: 1_000,
      // Endless and quick: a member that keeps its id through a broker's restart need not wait for its own session to end.
      retry: {
        initialRetryTime: 50,
        maxRetryTime: 1_000,
        multiplier: 1.5,
        retries: 1e9,
        restartOnFailure: async () => true,
      },
    });
    this.#onFailure = settings.onFailureTopic
      ? new OnFailureTopic(this.#kafka, settings.onFailureTopic)
      : undefined;
  }

  /** Resolves when partitions are assigned; waits for the broker and the topic for as long as it takes. */
  async start(): Promise<void> {
    this.#state = 'running';
    const assigned = Promise.withResolvers<void>();
    void this.#consume(assigned.resolve);
    await assigned.promise;
  }

  /** Tests hold a mapping with this: what is under way ends, nothing new is given to the function. */
  set paused(paused: boolean) {
    this.#paused = paused;
    for (const worker of this.#workers.values()) worker.paused = paused;
  }

  /** Waits for the invocations under way, at most `graceMs`, and commits what is done. */
  async stop(graceMs = 3_000): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'stopped';
    for (const worker of this.#workers.values()) worker.stop();
    const ended = Promise.all([
      ...[...this.#workers.values()].map((worker) => worker.ended),
      ...this.#ending.values(),
    ]);
    await within(graceMs, ended);
    // What an invocation that goes on beyond this comes to is not ours to commit.
    this.#workers.clear();
    await within(2_000, this.#commits.flush());
    await within(3_000, Promise.allSettled([this.#consumer?.disconnect(), this.#onFailure?.close()]));
  }

  async #consume(onAssigned: () => void): Promise<void> {
    const { topic, startingPosition } = this.#settings;
    let waitMs = crashBackoffMs.first;
    while (this.#state === 'running') {
      const begunAt = performance.now();
      let reason = '';
      const consumer = this.#createConsumer();
      this.#consumer = consumer;
      const crashed = Promise.withResolvers<never>();
      crashed.promise.catch(() => {});
      // Until the first batch, whose own way is the better one.
      this.#commits.commit = (partitions) =>
        consumer.commitOffsets(partitions.map((each) => ({ topic, ...each })));
      consumer.on('consumer.group_join', ({ payload }) => {
        if (this.#state === 'running') {
          this.#assign(payload.memberId, payload.memberAssignment[topic] ?? []);
          onAssigned();
        } else {
          // Stopped in the middle of joining, which kafkajs only lets go of once it has joined.
          setImmediate(() => consumer.disconnect().catch(() => {}));
        }
      });
      consumer.on('consumer.end_batch_process', ({ payload }) => {
        // Nothing but markers, and records that were taken back: no record tells of it.
        if (payload.batchSize === 0)
          this.#workers.get(payload.partition)?.push([], Number(payload.lastOffset) + 1);
      });
      consumer.on('consumer.crash', ({ payload }) => {
        if (payload.restart) this.#log(`the consumer stopped, and joins again: ${payload.error.message}`);
        else crashed.reject(payload.error);
      });
      try {
        await consumer.connect();
        await consumer.subscribe({ topic, fromBeginning: startingPosition !== 'LATEST' });
        // It may have been stopped while the broker was away.
        if (this.#state === 'running') {
          await consumer.run({
            autoCommit: false,
            eachBatchAutoResolve: false,
            eachBatch: async (payload) => this.#receive(payload),
          });
          await crashed.promise;
        }
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      await consumer.disconnect().catch(() => {});
      if (this.#state !== 'running') return;
      // Meanwhile its group has no member, which deep health tells of.
      this.#log(`cannot read the topic, whose records wait: ${reason}; tries again in ${waitMs} ms`);
      await sleep(waitMs, undefined, { ref: false });
      const hasGoneWell = performance.now() - begunAt > 2 * crashBackoffMs.longest;
      waitMs = hasGoneWell ? crashBackoffMs.first : Math.min(2 * waitMs, crashBackoffMs.longest);
    }
  }

  #createConsumer(): Consumer {
    return this.#kafka.consumer({
      groupId: this.#settings.consumerGroupId,
      sessionTimeout: this.#tuning.sessionTimeoutMs,
      heartbeatInterval: Math.floor(this.#tuning.sessionTimeoutMs / 4),
      rebalanceTimeout: 10_000,
      minBytes: 1,
      maxBytesPerPartition: 4 * 1024 * 1024,
      // Only how long a resumed partition may wait for the fetch of its neighbours to come back.
      maxWaitTimeInMs: 200,
      allowAutoTopicCreation: false,
    });
  }

  #receive({ batch, resolveOffset, commitOffsetsIfNecessary }: EachBatchPayload): void {
    // Unlike `consumer.commitOffsets`, this does not try again by itself, in a generation that may have lost the partition.
    this.#commits.commit = (partitions) =>
      commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [...partitions] }] });
    resolveOffset(batch.lastOffset());
    const worker = this.#workers.get(batch.partition);
    if (worker === undefined) return;
    const records = batch.messages.map((message) => sourceRecord(message, batch.topic));
    worker.push(records, Number(batch.lastOffset()) + 1);
    if (worker.buffer.isFull()) this.#pauseFetching(batch.partition);
  }

  #pauseFetching(partition: number): void {
    this.#pausedFetches.add(partition);
    this.#consumer?.pause([{ topic: this.#settings.topic, partitions: [partition] }]);
  }

  #resumeFetching(partition: number): void {
    if (!this.#pausedFetches.delete(partition)) return;
    try {
      this.#consumer?.resume([{ topic: this.#settings.topic, partitions: [partition] }]);
    } catch {
      // A consumer that is just being restarted has no group, and will begin with nothing paused.
    }
  }

  /**
   * A new generation of the group. Fetching starts again from what is committed. A member that is still the same has had its
   * partitions all along, so their workers stay; a new member cannot know who had them in between, and takes them afresh.
   */
  #assign(memberId: string, partitions: readonly number[]): void {
    const sameMember = memberId === this.#memberId;
    this.#memberId = memberId;
    for (const [partition, worker] of this.#workers) {
      if (sameMember && partitions.includes(partition)) worker.dropFetched();
      else this.#revoke(partition, worker);
      this.#resumeFetching(partition);
    }
    for (const partition of partitions) {
      if (!this.#workers.has(partition)) this.#workers.set(partition, this.#startWorker(partition));
    }
  }

  #revoke(partition: number, worker: PartitionWorker): void {
    worker.stop();
    this.#workers.delete(partition);
    this.#commits.forget(partition);
    this.#ending.set(partition, worker.ended);
  }

  #startWorker(partition: number): PartitionWorker {
    const { topic, functionName } = this.#settings;
    const bootstrapServers = this.#brokers.join(',');
    const after = this.#ending.get(partition) ?? Promise.resolve();
    const source = { functionName, topic, partition, bootstrapServers };
    const worker: PartitionWorker = new PartitionWorker(
      {
        settings: this.#settings,
        partition,
        invoker: this.#invoker,
        retryBackoffMs: this.#tuning.retryBackoffMs,
        eventOf: (records) => kafkaEvent(topic, partition, bootstrapServers, records),
        onDone: (nextOffset) => {
          if (this.#workers.get(partition) === worker) this.#commits.add(partition, nextOffset);
        },
        discard: (records, discard, stopping) => this.#discard(source, records, discard, stopping),
        onTaken: () => {
          if (worker.buffer.hasRoom()) this.#resumeFetching(partition);
        },
        onFailedInvocation: (result, records) => {
          const reason = result.ok
            ? 'it reports failed records'
            : `${result.error.errorType}: ${result.error.errorMessage}`;
          this.#log(`failed at ${partition}:${records[0]?.offset} (${records.length} left): ${reason}`);
        },
      },
      after,
    );
    worker.paused = this.#paused;
    return worker;
  }

  async #discard(
    source: { functionName: string; topic: string; partition: number; bootstrapServers: string },
    records: readonly SourceRecord[],
    discard: Discard,
    stopping: AbortSignal,
  ): Promise<boolean> {
    this.#log(
      `gives up ${records.length} from ${source.partition}:${records[0]?.offset} on: ${discard.condition}`,
    );
    return this.#onFailure?.deliver(source, records, discard, stopping, this.#log) ?? true;
  }
}

/** After a crash that its client takes for final: what has crashed may do so again, at the same record. */
const crashBackoffMs = { first: 500, longest: 30_000 };

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, sleep(ms, undefined, { ref: false })]);
}
