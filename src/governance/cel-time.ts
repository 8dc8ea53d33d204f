import { Duration } from '@marcbachmann/cel-js/evaluator';
import type { WallClock } from './wall-clock.js';

/** The parts of a timestamp, counted as CEL counts them: months and days of the year from 0. */
export const TIME_PARTS: readonly (readonly [name: string, read: (wall: WallClock) => number])[] = [
  ['getFullYear', (wall) => wall.year],
  ['getMonth', (wall) => wall.month - 1],
  ['getDate', (wall) => wall.day],
  ['getDayOfMonth', (wall) => wall.day - 1],
  ['getDayOfWeek', (wall) => wall.weekday % 7],
  ['getDayOfYear', (wall) => wall.dayNumber - Date.UTC(wall.year, 0, 1) / 86_400_000],
  ['getHours', (wall) => Math.floor(wall.minute / 60)],
  ['getMinutes', (wall) => wall.minute % 60],
  ['getSeconds', (wall) => Math.floor(wall.millisecond / 1_000) % 60],
  ['getMilliseconds', (wall) => wall.millisecond % 1_000],
];

/** Whole units in a duration. */
export const SPANS: Readonly<Record<string, (length: Duration) => bigint>> = {
  getHours: (length) => length.seconds / 3_600n,
  getMinutes: (length) => length.seconds / 60n,
  getSeconds: (length) => length.seconds,
  getMilliseconds: (length) => length.seconds * 1_000n + BigInt(Math.floor(length.nanos / 1e6)),
};

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** Reads an RFC 3339 timestamp; throws for anything else. */
export function timestampOf(text: string): Date {
  if (text.length > 40 || !RFC3339.test(text)) throw new RangeError(timestampFault(text));
  const at = inRange(new Date(text), text);
  // JavaScript takes 31 February for 3 March.
  const day = Number(text.slice(8, 10));
  const lastDay = new Date(
    Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0),
  ).getUTCDate();
  if (day > lastDay) throw new RangeError(timestampFault(text));
  return at;
}

/** The timestamp, if it lies in the years 1 to 9999. */
export function inRange(at: Date, text: string): Date {
  const ms = at.getTime();
  if (ms >= -62_135_596_800_000 && ms <= 253_402_300_799_999) return at;
  throw new RangeError(timestampFault(text));
}

function timestampFault(text: string): string {
  return `\`${text.slice(0, 40)}\` is no timestamp such as \`2026-03-30T10:00:00Z\``;
}

const PART = /(\d+)(?:\.(\d{1,9})\d*)?(h|ms|m|s|us|µs|ns)/y;
const NANOS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  ns: 1n,
};
/** CEL's durations are no longer than the years 1 to 9999, in seconds. */
const LONGEST = 315_576_000_000n;

/** Reads a duration such as `1h30m` or `-1.5s`; throws for anything else. */
export function durationOf(text: string): Duration {
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = text.replace(/^[+-]/, '');
  let nanos = 0n;
  let end = 0;
  for (PART.lastIndex = 0; text.length <= 40 && end < rest.length; end = PART.lastIndex) {
    const [, whole, fraction = '', unit = ''] = PART.exec(rest) ?? [];
    const size = NANOS[unit];
    if (whole === undefined || size === undefined) break;
    nanos += BigInt(whole) * size + (BigInt(fraction.padEnd(9, '0')) * size) / 1_000_000_000n;
  }
  const seconds = nanos / 1_000_000_000n;
  if (rest === '' || end < rest.length || seconds > LONGEST) {
    throw new RangeError(`\`${text.slice(0, 40)}\` is no duration such as \`1h30m\``);
  }
  return new Duration(BigInt(sign) * seconds, sign * Number(nanos % 1_000_000_000n));
}
