import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changedNumber } from '../../../shared/messages/changed-number.ts';

describe('a number of JSON is kept by a double', () => {
  it.each([
    ['0'],
    ['-0'],
    ['-0.00e7'],
    ['1.0'],
    ['0.10'],
    ['1e3'],
    ['1E+2'],
    ['0.1'],
    ['9007199254740992'],
    ['12345678901234567000'],
    ['12345678901234567168'],
    ['1152921504606846976'],
    ['1e308'],
    ['5e-324'],
    [`1${'0'.repeat(300)}`],
    // The digits of 0.1 that a double has: 17 of them, as `%.17g` writes it, more, and all.
    ['0.10000000000000001'],
    ['0.1000000000000000055511151231257827'],
    ['0.1000000000000000055511151231257827021181583404541015625'],
    // The shortest that Java wrote before 19, and what is shortest below a power of two.
    ['4.9E-324'],
    ['5.684341886080802e-14'],
    [String(2n ** 1_000n)],
  ])('%s', (literal) => {
    expect(changedNumber(literal)).toBeNull();
  });

  it('whatever double it is, in its shortest form, in 17 digits or more', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 17, max: 100 }),
        (double, digits) => {
          expect(changedNumber(JSON.stringify(double))).toBeNull();
          expect(changedNumber(double.toPrecision(digits))).toBeNull();
        },
      ),
    );
  });

  it('in fifteen digits, at any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(10 ** 15), max: 10 ** 15 }),
        fc.integer({ min: -290, max: 290 }),
        (digits, power) => {
          expect(changedNumber(`${digits}e${power}`)).toBeNull();
        },
      ),
    );
  });
});

describe('a number of JSON would become another', () => {
  it.each<[literal: string, become: string]>([
    ['9007199254740993', '9007199254740992'],
    ['-9007199254740993', '-9007199254740992'],
    ['12345678901234567890', '12345678901234567000'],
    ['12345678901234567169', '12345678901234567000'],
    ['1234567890123456.7', '1234567890123456.8'],
    ['123456789.123456789', '123456789.12345679'],
    ['1.0000000000000001', '1'],
    ['0.3333333333333333333333333333', '0.3333333333333333'],
    ['1e-400', '0'],
    [String(2n ** 1_000n + 1n), '1.0715086071862673e+301'],
  ])('%s %s', (literal, become) => {
    expect(changedNumber(literal)).toBe(become);
  });

  it('where it is an integer between two doubles, and of more digits than they have', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }), (integer) => {
        fc.pre(integer % 10n !== 0n && BigInt(Number(integer)) !== integer);
        expect(changedNumber(String(integer))).toBe(String(Number(integer)));
      }),
    );
  });
});
