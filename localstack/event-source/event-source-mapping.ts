import { setTimeout as sleep } from 'node:timers/promises';
import { createKafka } from '../../shared/kafka/client.ts';
import type { Invoker } from '../invocation.ts';
import type { Discard } from './failure-record.ts';
import type { FetchedRecords } from './fetched-records.ts';
import { kafkaEvent, type SourceRecord } from './kafka-event.ts';
import type { MappingSettings, MappingTuning } from './mapping-settings.ts';
import { OffsetCommits } from './offset-commits.ts';
import { OnFailureTopic } from './on-failure-topic.ts';
import { PartitionWorker } from './partition-worker.ts';
import { isPassing, TopicReader } from './topic-reader.ts';

export interface MappingOptions {
  settings: MappingSettings;
  brokers: readonly string[];
  invoker: Invoker;
  log?: (line: string) => void;
  tuning?: MappingTuning;
}

/**
 * Polls one topic for one function, by the rules of an MSK event source mapping. Fetching and invoking are decoupled: the
 * reader only fills the partitions' buffers, so a slow function holds up neither heartbeats nor its neighbours.
 */
export class EventSourceMapping {
  readonly #settings: MappingSettings;
  readonly #brokers: readonly string[];
  readonly #invoker: Invoker;
  readonly #log: (line: string) => void;
  readonly #tuning: Required<MappingTuning>;
  readonly #commits: OffsetCommits;
  readonly #onFailure: OnFailureTopic | undefined;
  readonly #workers = new Map<number, PartitionWorker>();
  #ending = new Map<number, Promise<void>>();
  #reader: TopicReader | undefined;
  #memberId: string | null = null;
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
      commitDelayMs: 200,
      sessionTimeoutMs: 5_000,
      ...tuning,
    };
    this.#commits = new OffsetCommits(this.#tuning.commitDelayMs);
    this.#onFailure = settings.onFailureTopic
      ? new OnFailureTopic(
          createKafka({ brokers, clientId: settings.consumerGroupId }),
          settings.onFailureTopic,
        )
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
    await within(
      3_000,
      Promise.allSettled([this.#reader?.close({ leaves: true }), this.#onFailure?.close()]),
    );
  }

  async #consume(onAssigned: () => void): Promise<void> {
    let crashes = 0;
    let losses = 0;
    while (this.#state === 'running') {
      const begunAt = performance.now();
      const reader = this.#createReader(onAssigned);
      this.#reader = reader;
      this.#commits.commit = (offsets) => reader.commit(offsets);
      const error = await reader.run().then(
        () => null,
        (error: unknown) => error,
      );
      // Closed, by whoever has stopped this.
      if (error === null) return;
      await reader.close({ leaves: false }).catch(() => {});
      if (this.#state !== 'running') return;
      if (performance.now() - begunAt > 2 * backoffMs.crashed.longest) crashes = losses = 0;
      if (isPassing(error)) {
        await sleep(growing(backoffMs.lost, losses++), undefined, { ref: false });
        continue;
      }
      const waitMs = growing(backoffMs.crashed, crashes++);
      const reason = error instanceof Error ? error.message : String(error);
      // Meanwhile its group has no member, which deep health tells of.
      this.#log(`cannot read the topic, whose records wait: ${reason}; tries again in ${waitMs} ms`);
      await sleep(waitMs, undefined, { ref: false });
    }
  }

  #createReader(onAssigned: () => void): TopicReader {
    const { topic, consumerGroupId, startingPosition = 'TRIM_HORIZON' } = this.#settings;
    return new TopicReader({
      brokers: this.#brokers,
      groupId: consumerGroupId,
      topic,
      startingPosition,
      sessionTimeoutMs: this.#tuning.sessionTimeoutMs,
      memberId: this.#memberId,
      onAssigned: (memberId, partitions) => {
        this.#assign(memberId, partitions);
        onAssigned();
      },
      onFetched: (partition, fetched) => this.#receive(partition, fetched),
    });
  }

  #receive(partition: number, { records, nextOffset }: FetchedRecords): void {
    const worker = this.#workers.get(partition);
    worker?.push(records, nextOffset);
    if (worker?.buffer.isFull()) this.#reader?.pause(partition);
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
      this.#reader?.resume(partition);
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
          if (worker.buffer.hasRoom()) this.#reader?.resume(partition);
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

const backoffMs = {
  /** Of what may come again at the same record. */
  crashed: { first: 500, longest: 30_000 },
  /** Of what is over by itself: a member that is back before its session ends keeps its partitions. */
  lost: { first: 50, longest: 1_000 },
};

function growing({ first, longest }: { first: number; longest: number }, times: number): number {
  return Math.min(first * 2 ** times, longest);
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, sleep(ms, undefined, { ref: false })]);
}
