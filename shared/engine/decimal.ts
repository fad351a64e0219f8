/*
 * What definitions say in decimals is reckoned as it is written: 18.4 % of 375 is 69, where doubles come to 68.99999999999999.
 * The shortest text of a double is what was written, up to the digits that a double tells apart.
 */

interface Decimal {
  readonly digits: bigint;
  /** `digits` are of so many places behind the point; negative: so many zeros follow them. */
  readonly scale: number;
}

/** How many of so many are at most so many percent. */
export function percentageOf(count: number, percentage: number): number {
  const { digits, scale } = decimalOf(percentage);
  return Number(floored(BigInt(count) * digits, scale + 2));
}

/** Milliseconds, rounded up, of seconds that are not negative. */
export function secondsToMs(seconds: number): number {
  const { digits, scale } = decimalOf(seconds);
  return Number(-floored(-digits, scale - 3));
}

function decimalOf(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), scale: fraction.length - Number(exponent) };
}

/** digits / 10^scale, rounded down. */
function floored(digits: bigint, scale: number): bigint {
  if (scale <= 0) return digits * 10n ** BigInt(-scale);
  const unit = 10n ** BigInt(scale);
  const quotient = digits / unit;
  return digits < 0n && quotient * unit !== digits ? quotient - 1n : quotient;
}
