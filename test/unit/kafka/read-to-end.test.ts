import type { Consumer, EachBatchPayload } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { type ReadOptions, readToEnd } from '../../../shared/kafka/read-to-end.ts';

/** Gives what it is told to, as kafkajs would. */
function fakeConsumer(deliver: (consumer: Delivering) => Promise<void>): Consumer {
  const listeners = new Map<string, (event: { payload: unknown }) => void>();
  return {
    on: (name: string, listener: (event: { payload: unknown }) => void) => listeners.set(name, listener),
    subscribe: async () => {},
    run: async ({ eachBatch }: { eachBatch: (payload: EachBatchPayload) => Promise<void> }) => {
      void deliver({
        batch: (partition, offsets, lastOffset) => {
          const messages = offsets.map((offset) => ({
            offset: String(offset),
            value: Buffer.from(`${offset}`),
          }));
          const batch = { partition, messages, lastOffset: () => String(lastOffset ?? offsets.at(-1)) };
          return eachBatch({ batch, heartbeat: async () => {} } as unknown as EachBatchPayload);
        },
        tell: (name, payload) => listeners.get(name)?.({ payload }),
      });
    },
  } as unknown as Consumer;
}

interface Delivering {
  batch(partition: number, offsets: readonly number[], lastOffset?: number): Promise<void>;
  tell(name: string, payload: unknown): void;
}

async function read(
  ends: readonly number[],
  deliver: (consumer: Delivering) => Promise<void>,
  options: Partial<ReadOptions> = {},
) {
  const taken: string[] = [];
  const stretches = ends.map((end, partition) => ({ partition, next: 0, end }));
  const read = await readToEnd(fakeConsumer(deliver), {
    topic: 'given-up',
    stretches,
    take: async (value) => void taken.push(String(value)),
    isEnough: () => false,
    passed: async () => {},
    stalledAfterMs: 60_000,
    ...options,
  }).catch((error: unknown) => error);
  return { read, taken, reached: stretches.map(({ next }) => next) };
}

describe('reading a topic to its end', () => {
  it('passes markers behind records, and batches of nothing else', async () => {
    const told = await read([4, 2], async ({ batch, tell }) => {
      await batch(0, [0, 2], 3);
      tell('consumer.end_batch_process', { topic: 'given-up', partition: 1, batchSize: 0, lastOffset: '1' });
    });
    expect(told).toEqual({ read: true, taken: ['0', '2'], reached: [4, 2] });
  });

  it('leaves what came meanwhile, and takes nothing twice', async () => {
    const told = await read([2], async ({ batch }) => {
      await batch(0, [0]);
      await batch(0, [0, 1, 2, 3]);
    });
    expect(told).toEqual({ read: true, taken: ['0', '1'], reached: [2] });
  });

  it('does not take a batch with records for one without, whatever is told of it', async () => {
    const told = await read(
      [3],
      async ({ batch, tell }) => {
        tell('consumer.end_batch_process', {
          topic: 'given-up',
          partition: 0,
          batchSize: 3,
          lastOffset: '2',
        });
        await batch(0, [0]);
      },
      { stalledAfterMs: 1 },
    );
    expect([told.taken, told.reached]).toEqual([['0'], [1]]);
  });

  it('ends where nothing comes, with the place and what the consumer had to say last', async () => {
    const told = await read(
      [5, 5, 1],
      async ({ batch, tell }) => {
        await batch(2, [0]);
        await batch(1, [0, 1]);
        tell('consumer.crash', { error: new Error('the broker is away'), restart: true });
      },
      { stalledAfterMs: 50 },
    );
    expect(told.read).toMatchObject({
      code: 'READ_STALLED',
      message:
        'given-up cannot be read to its end (partition 0 at 0, partition 1 at 2): nothing came for 50 ms: the broker is away',
    });
  });

  it('ends at once where the consumer does, and where a record cannot be taken', async () => {
    const crashed = await read([1], async ({ tell }) =>
      tell('consumer.crash', { error: new Error('zstd: no such thing'), restart: false }),
    );
    expect(crashed.read).toMatchObject({
      message: 'given-up cannot be read to its end (partition 0 at 0): zstd: no such thing',
    });
    const refused = await read([1], ({ batch }) => batch(0, [0]).catch(() => {}), {
      take: () => Promise.reject(new Error('no room')),
    });
    expect([refused.read, refused.reached]).toEqual([new Error('no room'), [0]]);
  });

  it('stops between two records when it is enough', async () => {
    let count = 0;
    const told = await read([5], ({ batch }) => batch(0, [0, 1, 2, 3, 4]), {
      take: async () => void count++,
      isEnough: () => count === 2,
    });
    expect([told.read, count, told.reached]).toEqual([false, 2, [2]]);
  });
});
