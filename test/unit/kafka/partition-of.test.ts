import { randomBytes, randomUUID } from 'node:crypto';
import { Partitioners } from 'kafkajs';
import { expect, it } from 'vitest';
import { partitionOf } from '../../../shared/kafka/partition-of.ts';

const choose = Partitioners.DefaultPartitioner();
const chosen = (key: string, partitions: number) =>
  choose({
    topic: 't',
    partitionMetadata: Array.from({ length: partitions }, (_, partitionId) => ({ partitionId }) as never),
    message: { key, value: '' },
  });

// Of the hashes in the Java client's own test, with 1,000 partitions.
it.each([
  ['21', 340],
  ['foobar', 166],
  ['a-little-bit-long-string', 112],
  ['a-little-bit-longer-string', 819],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', 677],
])('%s goes where the Java client puts it', (key, partition) => {
  expect(chosen(key, 1_000)).toBe(partition);
  expect(partitionOf(key, 1_000)).toBe(partition);
});

it('is where the library puts any key', () => {
  const keys = Array.from({ length: 2_000 }, (_, i) => [
    `run-${randomUUID()}`,
    'ä'.repeat(i % 9),
    randomBytes(i % 40).toString('latin1'),
  ]).flat();
  for (const partitions of [1, 3, 4, 50])
    expect(keys.map((key) => partitionOf(key, partitions))).toEqual(
      keys.map((key) => chosen(key, partitions)),
    );
});
