import { shortened } from '../validation/problem.ts';

/** Digits of a decimal from its first to its last that is not 0, and the power of ten of the place before which they begin. */
interface Decimal {
  readonly digits: string;
  readonly exponent: number;
}

const LITERAL = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** What `toPrecision` goes to. No double is written with more digits but an integer, whose digits all count. */
const MAX_ROUNDED_DIGITS = 100;
const MAX_SHOWN_LENGTH = 60;

/**
 * What becomes of a number in JSON text that is read as a double (IEEE 754), as every face, Kafka and the database's jsonb hand
 * it on: null where nothing does. A double may be written in its shortest form, as JavaScript, Python, Go and Java write it, or
 * with any number of its digits (`%.17g`, all of `2 ** 80`): what is rounded to as many digits as were written is what was
 * written. Any other number would be another one afterwards, without a word: an id would be somebody else's.
 * @param literal a number of JSON
 * @returns the number that it would become; null too where it is beyond all doubles, which is a problem of its own
 */
export function changedNumber(literal: string): string | null {
  const double = Number(literal);
  if (!Number.isFinite(double)) return null;
  const written = decimalOf(literal);
  if (written === null) return null;
  const shortest = String(double);
  if (isSame(written, decimalOf(shortest))) return null;
  const { length } = written.digits;
  if (length <= MAX_ROUNDED_DIGITS) {
    // No double but 0 has the digits of 0: what is too small for all of them is changed.
    if (length > 0 && double !== 0 && isSame(written, decimalOf(double.toPrecision(length)))) return null;
  } else if (Number.isInteger(double) && isSame(written, decimalOf(BigInt(double).toString()))) return null;
  return shortest;
}

/** In words; the path of what it is about goes before. */
export function changeOf(literal: string, become: string): string {
  return `${shortened(literal, MAX_SHOWN_LENGTH)} would become ${become}; send it as text`;
}

function decimalOf(literal: string): Decimal | null {
  const parts = LITERAL.exec(literal);
  if (parts === null) return null;
  const [, whole = '', fraction = '', power = '0'] = parts;
  const all = whole + fraction;
  const first = all.search(/[1-9]/);
  if (first === -1) return { digits: '', exponent: 0 };
  let end = all.length;
  while (all[end - 1] === '0') end--;
  return { digits: all.slice(first, end), exponent: whole.length - first + Number(power) };
}

function isSame(left: Decimal, right: Decimal | null): boolean {
  return left.digits === right?.digits && left.exponent === right.exponent;
}
