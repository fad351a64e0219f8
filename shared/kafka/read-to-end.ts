import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer } from 'kafkajs';

/** A partition's records from `next` on, to where it ended when it was asked: `end` is the offset that its next record was to get. */
export interface Stretch {
  readonly partition: number;
  next: number;
  readonly end: number;
}

export interface ReadOptions {
  readonly topic: string;
  readonly stretches: readonly Stretch[];
  /** Gets each record once, in the order of its partition; the next one waits for it. */
  readonly take: (value: Buffer | null) => Promise<void>;
  /** Asked before each record. */
  readonly isEnough: () => boolean;
  /** Everything before `stretch.next` has been taken, or was nothing to take. */
  readonly passed: (stretch: Stretch) => Promise<void>;
  /** Where no partition goes on for that long, waiting is of no use. */
  readonly stalledAfterMs: number;
}

/** A topic has a place beyond which it cannot be read, or Kafka has nothing to say about it. */
export class ReadStalled extends Error {
  readonly code = 'READ_STALLED';
}

const LOOK_EVERY_MS = 100;

/**
 * Reads a topic to where it ended. What a partition ends with need not be a record: a transaction leaves a marker there, with an
 * offset of its own, that no reader is given.
 * @param consumer connected, of a group that nobody else reads in and whose offsets are where the stretches begin
 * @returns whether everything was read, and not only enough
 * @throws ReadStalled naming partitions and offsets
 */
export async function readToEnd(consumer: Consumer, options: ReadOptions): Promise<boolean> {
  const { topic, stretches, take, isEnough, passed, stalledAfterMs } = options;
  const over = Promise.withResolvers<boolean>();
  const ended = new AbortController();
  const isOpen = ({ next, end }: Stretch) => next < end;
  let progressAt = performance.now();
  let lastCrash = '';

  async function advance(partition: number, position: number): Promise<void> {
    const stretch = stretches.find((each) => each.partition === partition);
    // What came since is the next time's.
    const next = Math.min(position, stretch?.end ?? -1);
    if (stretch === undefined || next <= stretch.next || ended.signal.aborted) return;
    stretch.next = next;
    progressAt = performance.now();
    await passed(stretch);
    if (!stretches.some(isOpen)) over.resolve(true);
  }
  const stalled = (why: string, cause?: unknown) => {
    const places = stretches.filter(isOpen).map(({ partition, next }) => `partition ${partition} at ${next}`);
    const place = `${topic} cannot be read to its end (${places.join(', ')})`;
    over.reject(new ReadStalled(`${place}: ${why}`, { cause }));
  };

  const orEnd = async (work: Promise<void>) => {
    try {
      await work;
    } catch (error) {
      over.reject(error);
      throw error;
    }
  };

  consumer.on('consumer.end_batch_process', ({ payload }) => {
    // Nothing but markers, and records that were taken back: this is all that is told of it.
    if (payload.topic === topic && payload.batchSize === 0)
      orEnd(advance(payload.partition, Number(payload.lastOffset) + 1)).catch(() => {});
  });
  consumer.on('consumer.crash', ({ payload: { error, restart } }) => {
    lastCrash = `: ${error.message}`;
    if (!restart) stalled(error.message, error);
  });
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat }) => {
      const stretch = stretches.find((each) => each.partition === batch.partition);
      for (const message of batch.messages) {
        const offset = Number(message.offset);
        // After a rebalance a partition is read from where it was committed, which may be before.
        if (stretch === undefined || offset >= stretch.end || offset < stretch.next) continue;
        if (isEnough()) over.resolve(false);
        if (isEnough() || ended.signal.aborted) return;
        await orEnd(take(message.value));
        await orEnd(advance(batch.partition, offset + 1));
        await heartbeat();
      }
      await orEnd(advance(batch.partition, Number(batch.lastOffset()) + 1));
    },
  });

  const watch = async () => {
    for (;;) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: ended.signal });
      if (isEnough()) over.resolve(false);
      if (performance.now() > progressAt + stalledAfterMs)
        stalled(`nothing came for ${stalledAfterMs} ms${lastCrash}`);
    }
  };
  watch().catch(() => {});
  try {
    return await over.promise;
  } finally {
    ended.abort();
  }
}
