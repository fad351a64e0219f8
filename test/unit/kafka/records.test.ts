import { describe, expect, it } from 'vitest';
import { deadLetterOf } from '../../../shared/kafka/dead-letter-of.ts';
import { type MskRecord, recordsOf, textOf } from '../../../shared/kafka/msk-event.ts';
import { parseMessage, parseRecord } from '../../../shared/kafka/parse-record.ts';
import { stepRequest } from '../../../shared/messages/messages.ts';

function record(value: string | Uint8Array | null, given: Partial<MskRecord> = {}): MskRecord {
  return {
    topic: 't',
    partition: 2,
    offset: 7,
    timestamp: 0,
    timestampType: 'CREATE_TIME',
    key: Buffer.from('k').toString('base64'),
    value: value === null ? null : Buffer.from(value).toString('base64'),
    headers: [],
    ...given,
  };
}

const request = { message_type: 'step_request', run_id: 'run-1', step_execution_id: 'a-1', timestamp: 'now' };

describe('an MSK event', () => {
  it('hands out its records, partition after partition, each in order', () => {
    const event = {
      eventSource: 'aws:kafka',
      records: { 't-0': [record('a', { offset: 1 }), record('b', { offset: 2 })], 't-1': [record('c')] },
    } as const;
    expect(recordsOf(event).map((each) => textOf(each))).toEqual(['a', 'b', 'c']);
  });

  it.each<[string, MskRecord, string | null]>([
    ['text', record('grüße 😀'), 'grüße 😀'],
    ['nothing in it', record(''), ''],
    ['a tombstone', record(null), null],
    ['no value at all', { ...record(''), value: undefined as unknown as null }, null],
    ['bytes that are not UTF-8', record(Buffer.from([0xff, 0xfe])), null],
    ['half a surrogate in UTF-8 clothes', record(Buffer.from([0xed, 0xa0, 0x80])), null],
  ])('textOf: %s', (_, each, expected) => {
    expect(textOf(each)).toBe(expected);
  });
});

describe('parseRecord', () => {
  it('reads one of our messages', () => {
    expect(parseRecord(stepRequest, record(JSON.stringify(request)))).toEqual({ ok: true, message: request });
  });

  it.each<[string, MskRecord, string | RegExp]>([
    ['a tombstone', record(null), 'expected a value in UTF-8'],
    ['bytes', record(Buffer.from([0xff])), 'expected a value in UTF-8'],
    ['no JSON', record('{"a":'), 'expected JSON: Unexpected end of JSON input'],
    ['empty', record(''), 'expected JSON: Unexpected end of JSON input'],
    ['a text', record('"x"'), /^record: /],
    ['null', record('null'), /^record: /],
    [
      'another message',
      record('{"message_type":"step_request"}'),
      /^run_id: .*; step_execution_id: .*; timestamp: /,
    ],
    [
      'U+0000',
      record(JSON.stringify({ ...request, run_id: 'a\u0000' })),
      'run_id: expected text without the character U+0000',
    ],
    [
      'a lone surrogate',
      record('{"message_type":"step_request","run_id":"\\ud800"}'),
      'run_id: expected well-formed Unicode, got a lone surrogate',
    ],
    [
      '1e400',
      record('{"run_id":{"y":1e400}}'),
      'run_id.y: expected a number that fits a double (below 1.8e308)',
    ],
    ['__proto__', record('{"__proto__":{"run_id":"r"}}'), /^message_type: .*; run_id: /],
    [
      'depth 500',
      record(`{"run_id":${'['.repeat(500)}${']'.repeat(500)}}`),
      /: expected at most 110 levels of nesting$/,
    ],
    [
      'depth 500,000',
      record(`{"run_id":${'['.repeat(500_000)}${']'.repeat(500_000)}}`),
      /: expected at most 110 levels of nesting$/,
    ],
  ])('%s is refused with the reason', (_, each, reason) => {
    const parsed = parseRecord(stepRequest, each);
    expect(parsed).toEqual({
      ok: false,
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
  });

  it('does not look at fields that the message has not', () => {
    const text = JSON.stringify({ ...request, extra: { x: '\u0000' } });
    expect(parseRecord(stepRequest, record(text))).toEqual({ ok: true, message: request });
    const deep = text.replace('{', `{"deep":${'['.repeat(500_000)}${']'.repeat(500_000)},`);
    expect(parseRecord(stepRequest, record(deep))).toEqual({ ok: true, message: request });
  });

  it('leaves the content of the fields that it is told of to the caller', () => {
    const given = { ...request, timestamp: '\u0000' };
    expect(parseMessage(stepRequest, given, ['timestamp'])).toEqual({ ok: true, message: given });
    expect(parseMessage(stepRequest, given)).toMatchObject({ ok: false });
  });
});

describe('deadLetterOf', () => {
  it('keeps the record as it came, with where it came from and why', () => {
    const letter = deadLetterOf(
      record('broken'),
      'expected JSON',
      'dead',
      Date.parse('2026-01-15T10:30:00Z'),
    );
    expect(letter).toEqual({
      topic: 'dead',
      key: 't-2-7',
      value: {
        message_type: 'dead_letter',
        reason: 'expected JSON',
        topic: 't',
        partition: 2,
        offset: 7,
        key: 'aw==',
        value: 'YnJva2Vu',
        timestamp: '2026-01-15T10:30:00.000Z',
      },
    });
  });

  it('always fits a record: a long reason is cut, a key that is too long stays where it came from', () => {
    const long = record('x', { key: 'a'.repeat(20_000) });
    const { value } = deadLetterOf(long, 'r'.repeat(1_000_000), 'dead', 0);
    expect(value).toMatchObject({ key: null, value: 'eA==', reason: 'r'.repeat(4_000) });
  });

  it('of a record without key and value has neither', () => {
    const letter = deadLetterOf(record(null, { key: null }), 'x', 'dead', 0);
    expect(letter.value).toMatchObject({ key: null, value: null });
  });
});
