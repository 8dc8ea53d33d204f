const UNITS = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/**
 * Reads a duration such as `90s`, `15m`, `4h` or `7d`: a whole number, then one unit, nothing else.
 *
 * @returns milliseconds, or `undefined` where the text is no such duration or too long to count
 * @example parseDuration('15m') // 900000
 */
export function parseDuration(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,8})([a-z])$/.exec(text) ?? [];
  const span = UNITS.get(unit);
  // A day is 24 hours: durations are spans of time, not of the calendar.
  return span === undefined ? undefined : Number(digits) * span;
}
