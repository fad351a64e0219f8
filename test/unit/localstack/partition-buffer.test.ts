import { expect, test } from 'vitest';
import type { SourceRecord } from '../../../localstack/event-source/kafka-event.ts';
import { PartitionBuffer } from '../../../localstack/event-source/partition-buffer.ts';

const message = { key: null, value: null, headers: [] };
const record = (offset: number, eventBytes = 100): SourceRecord => ({
  offset,
  timestamp: 0,
  eventBytes,
  message,
});
const offsets = (records: readonly SourceRecord[]) => records.map(({ offset }) => offset);

test('gives batches in order, up to the batch size', () => {
  const buffer = new PartitionBuffer(2);
  buffer.push([record(0), record(1), record(2)]);
  expect(offsets(buffer.take())).toEqual([0, 1]);
  expect(offsets(buffer.take())).toEqual([2]);
  expect(buffer.isEmpty()).toBe(true);
});

test('gives no more than fits into an event, but always one', () => {
  const buffer = new PartitionBuffer(10);
  buffer.push([record(0, 4_000_000), record(1, 4_000_000), record(2, 9_000_000), record(3)]);
  expect(offsets(buffer.take())).toEqual([0]);
  expect(offsets(buffer.take())).toEqual([1]);
  expect(offsets(buffer.take())).toEqual([2]);
  expect(offsets(buffer.take())).toEqual([3]);
});

test('after a rebalance takes again what was fetched, but not what was given', () => {
  const buffer = new PartitionBuffer(2);
  buffer.push([record(0), record(1), record(2)]);
  buffer.take();
  buffer.dropFetched();
  buffer.push([record(0), record(1), record(2), record(3)]);
  expect(offsets(buffer.take())).toEqual([2, 3]);
});

test('is full by number or by bytes, and has room again at half', () => {
  const byNumber = new PartitionBuffer(1);
  byNumber.push(Array.from({ length: 500 }, (_, offset) => record(offset)));
  expect([byNumber.isFull(), byNumber.hasRoom()]).toEqual([true, false]);
  for (let taken = 0; taken < 250; taken += 1) byNumber.take();
  expect([byNumber.isFull(), byNumber.hasRoom()]).toEqual([false, true]);
  const byBytes = new PartitionBuffer(1);
  byBytes.push([record(0, 8 * 1024 * 1024)]);
  expect(byBytes.isFull()).toBe(true);
});
