import { describe, expect, it } from 'vitest';
import { apart, classOf, type Fault } from '../../../shared/application/error-policy.ts';
import { failure } from '../../support/memory-tables.ts';

describe('classOf', () => {
  it.each([
    ['DATABASE_UNAVAILABLE', 'transient'],
    ['DATABASE_UNFIT', 'transient'],
    ['TRANSACTION_CONFLICT', 'transient'],
    ['STATEMENT_TIMEOUT', 'transient'],
    ['PUBLISH_FAILED', 'transient'],
    ['OUT_OF_TIME', 'transient'],
    ['VALUE_REFUSED', 'value'],
    ['UNIQUE_VIOLATION', 'defect'],
    ['CONSTRAINT_VIOLATION', 'defect'],
    ['STALE_DECISION', 'defect'],
    ['NOT_LOADED', 'defect'],
    ['never heard of', 'defect'],
  ])('%s is %s', (code, expected) => {
    expect(classOf(failure(code))).toBe(expected);
  });

  it.each([[new TypeError('no')], ['text'], [undefined]])('%s is a defect', (thrown) => {
    expect(classOf(thrown)).toBe('defect');
  });
});

describe('apart', () => {
  const items = [1, 2, 3, 4, 5, 6, 7];

  /** Doubles each, but what `code` is thrown for. */
  function working(bad: readonly number[], code: string, times = Number.POSITIVE_INFINITY) {
    const worked: number[][] = [];
    let left = times;
    const work = async (some: readonly number[]) => {
      worked.push([...some]);
      if (some.some((each) => bad.includes(each)) && left-- > 0) throw failure(code);
      return some.map((each) => each * 2);
    };
    return { worked, work };
  }
  const alone = (item: number, { class: kind }: Fault) => [`${item}: ${kind}`];

  it('asks once where nothing fails', async () => {
    const { worked, work } = working([], '');
    expect(await apart<number, unknown>(items, work, alone)).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(worked).toEqual([items]);
  });

  it('leaves those at fault alone, and answers in the items’ order', async () => {
    const { work } = working([2, 7], 'VALUE_REFUSED');
    expect(await apart<number, unknown>(items, work, alone)).toEqual([
      2,
      '2: value',
      6,
      8,
      10,
      12,
      '7: value',
    ]);
  });

  it.each(['STATEMENT_TIMEOUT', 'STALE_DECISION'])(
    '%s, of a record alone, twice, is a defect',
    async (code) => {
      const { worked, work } = working([1], code);
      expect(await apart<number, unknown>([1, 2], work, alone)).toEqual(['1: defect', 4]);
      expect(worked).toEqual([[1, 2], [1], [1], [2]]);
    },
  );

  it('does not where it is not too slow again', async () => {
    const { work } = working([1], 'STATEMENT_TIMEOUT', 2);
    expect(await apart<number, unknown>([1, 2], work, alone)).toEqual([2, 4]);
  });

  it('throws what passes by itself, from wherever', async () => {
    const { worked, work } = working([3], 'DATABASE_UNAVAILABLE');
    await expect(apart<number, unknown>(items, work, alone)).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    expect(worked).toEqual([items]);
    const slow = () => Promise.reject(failure('STATEMENT_TIMEOUT'));
    await expect(apart([1], slow, slow)).rejects.toMatchObject({ code: 'STATEMENT_TIMEOUT' });
  });
});
