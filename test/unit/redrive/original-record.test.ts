import { expect, test } from 'vitest';
import { originalRecord } from '../../../functions/redrive/original-record.ts';
import { deadLetterOf } from '../../../shared/kafka/dead-letter-of.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const record = {
  topic: 'results.topic',
  partition: 3,
  offset: 42,
  timestamp: 1,
  timestampType: 'CREATE_TIME',
  key: base64('run-1'),
  value: base64('{"message_type":"agent_result"}'),
  headers: [],
};
const topics = ['results.topic'];
const original = {
  ok: true,
  record: {
    topic: 'results.topic',
    key: Buffer.from('run-1'),
    value: Buffer.from('{"message_type":"agent_result"}'),
  },
};

test('a dead letter holds the record as it came', () => {
  const { value } = deadLetterOf(record, 'no such run', 'workflow.dead-letter', 1);
  expect(originalRecord(JSON.stringify(value), topics)).toEqual(original);
});

test('so does what Lambda writes to an on-failure topic', () => {
  const text = JSON.stringify({ version: '1.0', payload: { records: { 'results.topic-3': [record] } } });
  expect(originalRecord(text, topics)).toEqual(original);
});

test.each([
  ['not JSON', 'it is neither a dead letter nor what Lambda gives up'],
  ['{"payload":{"records":{}}}', 'it is neither a dead letter nor what Lambda gives up'],
  [
    JSON.stringify({ payload: { records: { 'other-0': [{ ...record, topic: 'other' }] } } }),
    'its topic other is none of work',
  ],
  [
    JSON.stringify({ payload: { records: { 'results.topic-3': [{ ...record, value: null }] } } }),
    'it was too large to be kept: its coordinates say where it came from',
  ],
])('%s stays where it is', (text, reason) => {
  expect(originalRecord(text, topics)).toEqual({ ok: false, reason });
});
