/** An instant, to any number of digits. */
export interface Timestamp {
  readonly epochSeconds: number;
  /** Of a second: digits, without zeros at the end. */
  readonly fraction: string;
}

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads RFC 3339's date-time; null for anything else, the 30th of February too, and a leap second where none can be. */
export function parseTimestamp(text: string): Timestamp | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as Six;
  const [offsetHour, offsetMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return null;
  if (offsetHour > 23 || offsetMinute > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) return null;
  const offsetSeconds = (match[8] === '-' ? -1 : 1) * (offsetHour * 3_600 + offsetMinute * 60);
  const secondOfDay = hour * 3_600 + minute * 60 + second;
  const epochSeconds = date.getTime() / 1_000 + secondOfDay - offsetSeconds;
  if (second === 60 && !endsMonth(epochSeconds)) return null;
  return {
    epochSeconds,
    fraction: (match[7] ?? '').replace(/0+$/, ''),
  };
}

/** Whether a second :60 that counts up to here is a leap second: the last of a month, in UTC (RFC 3339 §5.7, appendix D). */
export function endsMonth(epochSeconds: number): boolean {
  return epochSeconds % 86_400 === 0 && new Date(epochSeconds * 1_000).getUTCDate() === 1;
}

type Six = [number, number, number, number, number, number];

/** Negative where `a` is before `b`, 0 where both are the same instant. */
export function compareTimestamps(a: Timestamp, b: Timestamp): number {
  if (a.epochSeconds !== b.epochSeconds) return a.epochSeconds - b.epochSeconds;
  if (a.fraction === b.fraction) return 0;
  return a.fraction < b.fraction ? -1 : 1;
}
