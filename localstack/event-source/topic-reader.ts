import { setTimeout as sleep } from 'node:timers/promises';
import {
  Connection,
  Consumer,
  fetchV13,
  fetchV14,
  fetchV15,
  fetchV16,
  fetchV17,
  type GenericError,
  TimeoutError,
} from '@platformatic/kafka';
import { type FetchedRecords, fetchedRecords } from './fetched-records.ts';

export interface TopicReaderOptions {
  readonly brokers: readonly string[];
  readonly groupId: string;
  readonly topic: string;
  readonly startingPosition: 'TRIM_HORIZON' | 'LATEST';
  readonly sessionTimeoutMs: number;
  /** Of the reader before this one: a member that keeps its id need not wait for its own session to end. */
  readonly memberId: string | null;
  /** The group has a new generation, and fetching starts again from what is committed. */
  onAssigned(memberId: string, partitions: readonly number[]): void;
  onFetched(partition: number, fetched: FetchedRecords): void;
}

const fetchApis = { 13: fetchV13, 14: fetchV14, 15: fetchV15, 16: fetchV16, 17: fetchV17 };
type FetchApi = (typeof fetchApis)[keyof typeof fetchApis]['api'];
type Answer = fetchV17.FetchResponsePartition;

/** A record is answered with as soon as it is there. So long is nothing said. */
const QUIET_MS = 5_000;
/** While a partition is left out of fetches: so long may it wait, once it is not, for its neighbours' to come back. */
const CATCHING_UP_MS = 50;
const MOST_BYTES = { perPartition: 4 * 1024 * 1024, inAll: 16 * 1024 * 1024 };
const READ_COMMITTED = 1;
/** Each fetch names all that it wants: a session would keep it in the broker. */
const NO_SESSION = { id: 0, epoch: -1 };
const NOT_KNOWN = -1;
const OFFSET_OUT_OF_RANGE = 1;
const positions = { TRIM_HORIZON: -2n, LATEST: -1n };

/** A member of a consumer group, for one topic. It reads until it is closed or something fails, and then is of no more use. */
export class TopicReader {
  readonly #options: TopicReaderOptions;
  readonly #consumer: Consumer;
  readonly #over = Promise.withResolvers<void>();
  readonly #paused = new Set<number>();
  #generation = new AbortController();
  #resumed = Promise.withResolvers<void>();
  #cannotCommitSince: number | null = null;

  constructor(options: TopicReaderOptions) {
    this.#options = options;
    this.#over.promise.catch(() => {});
    this.#consumer = new Consumer({
      clientId: options.groupId,
      groupId: options.groupId,
      bootstrapBrokers: [...options.brokers],
      connectTimeout: 1_000,
      // Whoever has this reader tries again with another one.
      retries: 0,
      metadataMaxAge: 60_000,
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: Math.floor(options.sessionTimeoutMs / 4),
      rebalanceTimeout: 10_000,
      heartbeatStallTimeout: options.sessionTimeoutMs,
    });
    this.#consumer.memberId = options.memberId;
    this.#consumer.topics.track(options.topic);
    this.#consumer.on('error', this.#over.reject);
    this.#consumer.on('consumer:heartbeat:error', ({ error }) => this.#over.reject(error));
    this.#consumer.on('consumer:heartbeat:stalled', ({ lastError }) =>
      this.#over.reject(lastError ?? new TimeoutError('no heartbeat is answered')),
    );
    this.#consumer.on('consumer:group:join', ({ memberId, assignments = [] }) => {
      this.#generation.abort();
      this.#generation = new AbortController();
      const partitions = assignments.flatMap((each) => each.partitions);
      options.onAssigned(memberId, partitions);
      this.#read(partitions, this.#generation.signal).catch(this.#over.reject);
    });
  }

  /** Resolves when it is closed. @throws what kept it from reading on */
  async run(): Promise<void> {
    // Where the topic is not there yet, nothing can be assigned.
    await this.#consumer.metadata({ topics: [this.#options.topic] });
    await Promise.race([this.#consumer.joinGroup(), this.#over.promise]);
    await this.#over.promise;
  }

  /** Once: what failed is the caller's to try again. Where that goes on for a session, this is no member any more, whatever it is told. */
  async commit(offsets: readonly { partition: number; offset: number }[]): Promise<void> {
    const { sessionTimeoutMs } = this.#options;
    try {
      await Promise.race([this.#commit(offsets), failAfter(sessionTimeoutMs)]);
      this.#cannotCommitSince = null;
    } catch (error) {
      this.#cannotCommitSince ??= performance.now();
      if (performance.now() - this.#cannotCommitSince > sessionTimeoutMs) this.#over.reject(error);
      throw error;
    }
  }

  async #commit(offsets: readonly { partition: number; offset: number }[]): Promise<void> {
    const { topic } = this.#options;
    await this.#consumer.commit({
      offsets: offsets.map(({ partition, offset }) => ({
        topic,
        partition,
        offset: BigInt(offset),
        leaderEpoch: NOT_KNOWN,
      })),
    });
  }

  pause(partition: number): void {
    this.#paused.add(partition);
  }

  resume(partition: number): void {
    if (this.#paused.delete(partition)) this.#wake();
  }

  async close({ leaves }: { leaves: boolean }): Promise<void> {
    this.#generation.abort();
    this.#wake();
    this.#over.resolve();
    try {
      if (leaves) await this.#consumer.leaveGroup();
    } catch {
      // Its session ends by itself.
    }
    // Without an id it only ceases to be a member on this side.
    this.#consumer.memberId = null;
    await this.#consumer.leaveGroup();
    await this.#consumer.close();
  }

  #wake(): void {
    this.#resumed.resolve();
    this.#resumed = Promise.withResolvers();
  }

  async #read(partitions: readonly number[], generation: AbortSignal): Promise<void> {
    if (partitions.length === 0) return;
    const { topic } = this.#options;
    const [offsets, metadata, api] = await Promise.all([
      this.#startingOffsets(partitions),
      this.#consumer.metadata({ topics: [topic] }),
      this.#fetchApi(),
    ]);
    const found = metadata.topics.get(topic);
    const byLeader = Map.groupBy(
      partitions,
      (partition) => found?.partitions[partition]?.leader ?? NOT_KNOWN,
    );
    await Promise.all(
      [...byLeader].map(async ([leader, ofLeader]) => {
        const broker = metadata.brokers.get(leader);
        if (found === undefined || broker === undefined) throw new TimeoutError(`${topic} has no leader yet`);
        // Of its own: a broker answers a connection's requests one after another, and a heartbeat must not wait for a fetch.
        const connection = new Connection(this.#options.groupId, { connectTimeout: 1_000 });
        connection.on('error', () => {});
        const close = () => void connection.close().catch(() => {});
        generation.addEventListener('abort', close);
        try {
          await connection.connect(broker.host, broker.port);
          const fetch = (wanted: readonly number[], maxWaitMs: number) =>
            fetchOnce(api, connection, { topicId: found.id, partitions: wanted, offsets, maxWaitMs });
          await this.#poll(ofLeader, offsets, fetch, generation);
        } catch (error) {
          if (!generation.aborted) throw error;
        } finally {
          generation.removeEventListener('abort', close);
          close();
        }
      }),
    );
  }

  async #poll(
    partitions: readonly number[],
    offsets: Map<number, number>,
    fetch: (wanted: readonly number[], maxWaitMs: number) => Promise<Answer[]>,
    generation: AbortSignal,
  ): Promise<void> {
    while (!generation.aborted) {
      const wanted = partitions.filter((partition) => !this.#paused.has(partition));
      if (wanted.length === 0) {
        await this.#resumed.promise;
        continue;
      }
      const answers = await fetch(wanted, wanted.length < partitions.length ? CATCHING_UP_MS : QUIET_MS);
      if (generation.aborted) return;
      const lost = answers.filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE);
      if (lost.length > 0) {
        const begins = await this.#offsetsAtStart(lost.map(({ partitionIndex }) => partitionIndex));
        for (const [partition, offset] of begins) offsets.set(partition, offset);
        continue;
      }
      for (const answer of answers) {
        const partition = answer.partitionIndex;
        const fetched = fetchedRecords(answer, this.#options.topic, offsets.get(partition) ?? 0);
        if (fetched === null) continue;
        offsets.set(partition, fetched.nextOffset);
        this.#options.onFetched(partition, fetched);
      }
    }
  }

  async #startingOffsets(partitions: readonly number[]): Promise<Map<number, number>> {
    const { topic } = this.#options;
    const committed = await this.#consumer.listCommittedOffsets({
      topics: [{ topic, partitions: [...partitions] }],
    });
    const known = partitions.map(
      (partition) => [partition, Number(committed.get(topic)?.[partition] ?? -1n)] as const,
    );
    const unknown = known.flatMap(([partition, offset]) => (offset < 0 ? [partition] : []));
    return new Map([...known, ...(await this.#offsetsAtStart(unknown))]);
  }

  async #offsetsAtStart(partitions: readonly number[]): Promise<(readonly [number, number])[]> {
    if (partitions.length === 0) return [];
    const { topic, startingPosition } = this.#options;
    const found = await this.#consumer.listOffsets({
      topics: [topic],
      partitions: { [topic]: [...partitions] },
      timestamp: positions[startingPosition],
    });
    return partitions.map((partition) => [partition, Number(found.get(topic)?.[partition] ?? 0n)] as const);
  }

  async #fetchApi(): Promise<FetchApi> {
    const spoken = (await this.#consumer.listApis()).find(({ name }) => name === 'Fetch')?.maxVersion ?? 0;
    const version = Math.min(spoken, 17) as keyof typeof fetchApis;
    const found = fetchApis[version];
    if (found === undefined)
      throw new Error(`Kafka speaks version ${spoken} of Fetch; 13, of Kafka 3.1, is needed`);
    return found.api;
  }
}

async function failAfter(ms: number): Promise<never> {
  await sleep(ms, undefined, { ref: false });
  throw new TimeoutError(`Kafka did not answer within ${ms} ms`);
}

interface Wanted {
  readonly topicId: string;
  readonly partitions: readonly number[];
  readonly offsets: ReadonlyMap<number, number>;
  readonly maxWaitMs: number;
}

/** A partition whose offset is not there any more is answered with that, and with nothing else. */
async function fetchOnce(
  api: FetchApi,
  connection: Connection,
  { topicId, partitions, offsets, maxWaitMs }: Wanted,
): Promise<Answer[]> {
  const wanted = partitions.map((partition) => ({
    partition,
    currentLeaderEpoch: NOT_KNOWN,
    lastFetchedEpoch: NOT_KNOWN,
    fetchOffset: BigInt(offsets.get(partition) ?? 0),
    partitionMaxBytes: MOST_BYTES.perPartition,
  }));
  try {
    const response = await api.async(
      connection,
      maxWaitMs,
      1,
      MOST_BYTES.inAll,
      READ_COMMITTED,
      NO_SESSION.id,
      NO_SESSION.epoch,
      [{ topicId, partitions: wanted }],
      [],
      '',
    );
    return partitionsOf(response);
  } catch (error) {
    const answers = partitionsOf((error as { response?: fetchV17.FetchResponse }).response);
    const failed = answers.filter(({ errorCode }) => errorCode !== 0);
    if (failed.length === 0 || failed.some(({ errorCode }) => errorCode !== OFFSET_OUT_OF_RANGE)) throw error;
    return failed;
  }
}

function partitionsOf(response: fetchV17.FetchResponse | undefined): Answer[] {
  return response?.responses.flatMap(({ partitions }) => partitions) ?? [];
}

/** Whether it is over by itself, as a broker's restart or a rebalance is; else it may come again at the same record. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TimeoutError) return true;
  const { findBy } = error as Partial<GenericError>;
  if (findBy === undefined) return false;
  const is = (property: string, value: unknown) => findBy.call(error, property, value) !== null;
  return is('needsRejoin', true) || !is('canRetry', false);
}
