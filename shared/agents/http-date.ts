import { endsMonth } from '../engine/timestamp.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const SHORT_DAY = DAYS.map((day) => day.slice(0, 3)).join('|');
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';

/** `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`, which means GMT as well. */
const FORMS = [
  new RegExp(`^(?<dayName>${SHORT_DAY}), (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^(?<dayName>${DAYS.join('|')}), (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^(?<dayName>${SHORT_DAY}) ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Reads an HTTP-date in any of its three forms (RFC 9110 §5.6.7), case-sensitive and GMT as they are.
 * @param nowMs epoch milliseconds: a year of two digits is the one that is at most 50 years ahead
 * @returns epoch milliseconds; null for anything else, for a day that there is not, and for one of another name.
 */
export function parseHttpDate(text: string, nowMs: number): number | null {
  const parts = FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return null;
  const { dayName = '', month = '' } = parts;
  const [day, hour, minute, second, given] = [
    parts.day,
    parts.hour,
    parts.minute,
    parts.second,
    parts.year,
  ].map(Number) as Five;
  const year = parts.year?.length === 2 ? fullYear(given, nowMs) : given;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, MONTHS.indexOf(month), day);
  const isDay = midnight.getUTCDate() === day && DAYS[midnight.getUTCDay()]?.startsWith(dayName) === true;
  if (!isDay || hour > 23 || minute > 59 || second > 60) return null;
  const epochSeconds = midnight.getTime() / 1_000 + hour * 3_600 + minute * 60 + second;
  return second === 60 && !endsMonth(epochSeconds) ? null : epochSeconds * 1_000;
}

type Five = [number, number, number, number, number];

function fullYear(lastDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + lastDigits;
  return year > thisYear + 50 ? year - 100 : year;
}
