import { Environment } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { ActionValue, ResourceValue, SubjectValue } from './cel-values.js';
import { compilePattern, type LinearPattern } from './linear-regex.js';
import { type WallClock, wallClockAt } from './wall-clock.js';

/** What an expression may spend on texts in one evaluation, in characters. */
const TEXT_BUDGET = 1_000_000;
/** Most parts that `split` gives. */
const MAX_PARTS = 1_000;

let spent = 0;

/** Starts the budget of one evaluation. Evaluations are synchronous, so one count serves all. */
export function startBudget(): void {
  spent = 0;
}

function spend(text: string): string {
  spent += text.length;
  if (spent > TEXT_BUDGET) throw new RangeError('the texts are too long to go through');
  return text;
}

/**
 * Functions of the library that are replaced by ours, under names that no expression can write (the
 * library refuses a second function of the same name). By its own, `matches` backtracks, zones follow
 * the zone of the process, `timestamp` takes any text that JavaScript can read as a date, and a long
 * text keeps `duration` busy for ever.
 */
export const REPLACED: ReadonlyMap<string, string> = new Map([
  ['matches', 'x_matches'],
  ['timestamp', 'x_timestamp'],
  ['duration', 'x_duration'],
  ['lowerAscii', 'x_lowerAscii'],
  ['upperAscii', 'x_upperAscii'],
  ['split', 'x_split'],
  ...zoned().map(([name]) => [name, `x_${name}`] as const),
]);

/** Functions that an expression may call; the macros among them are bounded by `condition.ts`. */
export const FUNCTIONS: ReadonlySet<string> = new Set([
  ...REPLACED.keys(),
  'has',
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
  'size',
  'contains',
  'startsWith',
  'endsWith',
  'trim',
  'join',
  'string',
  'int',
  'uint',
  'double',
  'bool',
  'type',
  'dyn',
]);

/** Functions that go through every entry of a list or map. */
export const MACROS: ReadonlySet<string> = new Set([
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
]);

const TIMESTAMP = 'google.protobuf.Timestamp';
const DURATION = 'google.protobuf.Duration';

function makeEnvironment(): Environment {
  const properties = 'map<string, dyn>';
  const made = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 1_000, maxMapEntries: 100 },
  })
    .registerType('Subject', {
      ctor: SubjectValue,
      fields: { type: 'string', id: 'string', properties },
    })
    .registerType('Action', { ctor: ActionValue, fields: { name: 'string', properties } })
    .registerType('Resource', {
      ctor: ResourceValue,
      fields: { type: 'string', id: 'string', properties },
    })
    .registerVariable('subject', 'Subject')
    .registerVariable('action', 'Action')
    .registerVariable('resource', 'Resource')
    .registerVariable('context', properties)
    .registerVariable('tenant', 'string')
    .registerVariable('roles', 'list<string>')
    .registerVariable('now', TIMESTAMP)
    .registerFunction('string.x_matches(string): bool', matches)
    .registerFunction('x_matches(string, string): bool', matches)
    .registerFunction(`x_timestamp(string): ${TIMESTAMP}`, timestampOf)
    .registerFunction(`x_timestamp(int): ${TIMESTAMP}`, (seconds: bigint) =>
      inRange(new Date(Number(seconds) * 1_000), String(seconds)),
    )
    .registerFunction(`x_duration(string): ${DURATION}`, durationOf)
    .registerFunction('string.x_lowerAscii(): string', (text: string) =>
      spend(text).replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
    )
    .registerFunction('string.x_upperAscii(): string', (text: string) =>
      spend(text).replace(/[a-z]+/g, (letters) => letters.toUpperCase()),
    )
    .registerFunction('string.x_split(string): list<string>', (text: string, by: string) => {
      const parts = spend(text).split(by, MAX_PARTS + 1);
      if (parts.length > MAX_PARTS) throw new RangeError(`\`split\` gives over ${MAX_PARTS} parts`);
      return parts;
    });
  for (const [name, read] of zoned()) {
    const inZone = (at: Date, zone: string): bigint =>
      BigInt(read(wallClockAt(zone, at.getTime())));
    made.registerFunction(`${TIMESTAMP}.x_${name}(): int`, (at: Date) => inZone(at, 'UTC'));
    made.registerFunction(`${TIMESTAMP}.x_${name}(string): int`, inZone);
    const span = SPANS[name];
    if (span) {
      made.registerFunction(`${DURATION}.x_${name}(): int`, (length: Duration) => span(length));
    }
  }
  return made;
}

/** The parts of a timestamp, counted as CEL counts them: months and days of the year from 0. */
function zoned(): [name: string, read: (wall: WallClock) => number][] {
  return [
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
}

/** Whole units in a duration. */
const SPANS: Readonly<Record<string, (length: Duration) => bigint>> = {
  getHours: (length) => length.seconds / 3_600n,
  getMinutes: (length) => length.seconds / 60n,
  getSeconds: (length) => length.seconds,
  getMilliseconds: (length) => length.seconds * 1_000n + BigInt(Math.floor(length.nanos / 1e6)),
};

/** Patterns are literals of the bundle (see `condition.ts`), so their number is bounded by it. */
const patterns = new Map<string, LinearPattern>();
/** One bundle does not reach this; those of former bundles go when it is reached. */
const PATTERNS_KEPT = 1_000;

function matches(text: string, source: string): boolean {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    const compiled = compilePattern(source);
    if ('fault' in compiled) throw new SyntaxError(compiled.fault);
    if (patterns.size >= PATTERNS_KEPT) patterns.clear();
    patterns.set(source, compiled);
    pattern = compiled;
  }
  return pattern.matches(spend(text));
}

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

function inRange(at: Date, text: string): Date {
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

/** What conditions are compiled in: the variables with their types, and the functions above. */
export const environment = makeEnvironment();
