import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import {
  communityIdParameter,
  moment,
  oversizedFields,
  pageLimit,
  parameterText,
} from '../../../functions/api/fields/request-fields.ts';
import { encodeCursor, nameCursor, timeCursor } from '../../../functions/api/paging/cursor.ts';
import { limits } from '../../../shared/config/limits.ts';

const id = '01933cf0-0000-7000-8000-000000000000';
const accepts = (schema: z.ZodType, values: readonly unknown[]) =>
  values.map((value) => schema.safeParse(value).success);

describe('cursors', () => {
  it('come back as they went', () => {
    const time = { key: '2026-01-01T00:00:00.123456Z', id };
    expect(timeCursor.parse(encodeCursor(time))).toEqual(time);
    const name = { key: 'ä "quoted" agent', id };
    expect(nameCursor.parse(encodeCursor(name))).toEqual(name);
  });

  const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  it('are refused when they are not ours', () => {
    const wrong = [
      '',
      'x',
      forged(null),
      forged(['2026-01-01', id]),
      forged(['2026-01-01T99:99:99.999999Z', id]),
      forged(['2026-02-30T00:00:00.000000Z', id]),
      forged(['0000-01-01T00:00:00.000000Z', id]),
      forged(['2026-01-01T00:00:00.123456Z', "x'; drop table"]),
      forged(['2026-01-01T00:00:00.123456Z', id, 1]),
      forged({ key: '2026-01-01T00:00:00.123456Z', id }),
      ['a', 'b'],
      'x'.repeat(2_000),
    ];
    expect(accepts(timeCursor, wrong)).toEqual(wrong.map(() => false));
    expect(accepts(nameCursor, [forged(['a\u0000', id]), forged([7, id])])).toEqual([false, false]);
  });
});

describe('parameters', () => {
  it('limits', () => {
    const limit = pageLimit(100, 1_000);
    expect(limit.parse(undefined)).toBe(100);
    expect(limit.parse('7')).toBe(7);
    const wrong = ['0', '1001', '-1', '1.5', '1e2', ' 1', '', 'x', ['1', '2'], '9999999999999'];
    expect(accepts(limit, wrong)).toEqual(wrong.map(() => false));
  });

  it('moments', () => {
    expect(moment.parse('2024-01-15')).toBe('2024-01-15T00:00:00Z');
    const storable = [
      '2024-01-15T10:30:00+02:00',
      '0001-01-01T00:00:00+14:00',
      '2024-01-15T10:30:00.123456789Z',
    ];
    expect(storable.map((text) => moment.parse(text))).toEqual(storable);
    const wrong = [
      '',
      'yesterday',
      '2024-13-01',
      '2024-02-30',
      '2024-01-15T10:30:00',
      '0000-01-01',
      '0000-01-01T00:00:00Z',
      '2016-12-31T23:59:60Z',
      '10000-01-01',
      // Postgres has no such zone, and reads no such fraction.
      '2024-01-15T10:30:00+16:00',
      '2024-01-15T10:30:00-23:59',
      `2024-01-15T10:30:00.${'1'.repeat(300)}Z`,
      ['2024-01-15'],
    ];
    expect(accepts(moment, wrong)).toEqual(wrong.map(() => false));
  });

  it('say what was expected, in a query as in a body', () => {
    const messageOf = (given: unknown) => parameterText.safeParse(given).error?.issues[0]?.message;
    expect([undefined, null, 7].map(messageOf)).toEqual(Array(3).fill('expected text'));
    expect(messageOf(['a', 'b'])).toBe('expected to be given once');
  });

  it('texts and communities', () => {
    expect(
      accepts(parameterText, ['ä', 'x'.repeat(255), '', 'x'.repeat(256), 'a\u0000', '\ud800', ['a']]),
    ).toEqual([true, true, false, false, false, false, false]);
    expect(communityIdParameter.parse('-12')).toBe(-12);
    expect(accepts(communityIdParameter, ['1.5', '9999999999999999', 'x', ''])).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });
});

describe('oversized fields', () => {
  it('are measured in bytes of JSON', () => {
    const fits = 'ä'.repeat((limits.maxPayloadBytes - 2) / 2);
    expect(oversizedFields({ a: fits, b: null, c: undefined })).toEqual([]);
    expect(oversizedFields({ a: `${fits}x`, b: fits })).toEqual([
      { path: 'a', message: 'expected at most 262144 bytes of JSON, got 262145' },
    ]);
  });
});
