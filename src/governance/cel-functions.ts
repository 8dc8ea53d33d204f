import { Environment } from '@marcbachmann/cel-js';
import type { Duration } from '@marcbachmann/cel-js/evaluator';
import { durationOf, inRange, SPANS, TIME_PARTS, timestampOf } from './cel-time.js';
import { ActionValue, ResourceValue, SubjectValue } from './cel-values.js';
import { compilePattern, type LinearPattern } from './linear-regex.js';
import { wallClockAt } from './wall-clock.js';

/** What an expression may spend on texts in one evaluation, in characters. */
const TEXT_BUDGET = 1_000_000;
/** Most parts that `split` gives. */
const MAX_PARTS = 1_000;

let spent = 0;

/** Starts the budget of one evaluation. Evaluations are synchronous, so one count serves all. */
export function startBudget(): void {
  spent = 0;
}

/** Pays for going through texts. */
function pay(...texts: readonly string[]): void {
  for (const text of texts) spent += text.length;
  if (spent > TEXT_BUDGET) throw new RangeError('the texts are too long to go through');
}

/** Wraps a function of texts so that each call is paid for. */
function paid<Result>(call: (...texts: string[]) => Result): (...texts: string[]) => Result {
  return (...texts) => {
    pay(...texts);
    return call(...texts);
  };
}

/**
 * Functions of the library that are replaced by ours, under names that no expression can write (the
 * library refuses a second function of the same name). By its own, `matches` backtracks, zones follow
 * the zone of the process, `timestamp` takes any text that JavaScript can read as a date, `duration`
 * is busy for ever with a long text, and no function knows what the others have cost.
 */
export const REPLACED: ReadonlyMap<string, string> = new Map(
  [
    'contains',
    'startsWith',
    'endsWith',
    'matches',
    'lowerAscii',
    'upperAscii',
    'trim',
    'split',
    'join',
    'size',
    'double',
    'timestamp',
    'duration',
    ...TIME_PARTS.map(([name]) => name),
  ].map((name) => [name, `x_${name}`]),
);

/**
 * What `has(a.b)` becomes, as `x_has(a, "b")`: the library's macro says that `b` is absent where `a` is
 * a text, a number, a list or null; CEL has it that this is an error.
 */
export const HAS = 'x_has';

/** Functions that go through every entry of a list or map. */
export const MACROS: ReadonlySet<string> = new Set([
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
]);

/** Functions that an expression may call. */
export const FUNCTIONS: ReadonlySet<string> = new Set([
  'has',
  ...MACROS,
  ...REPLACED.keys(),
  'string',
  'int',
  'uint',
  'bool',
  'type',
  'dyn',
]);

const TIMESTAMP = 'google.protobuf.Timestamp';
const DURATION = 'google.protobuf.Duration';
const PROPERTIES = 'map<string, dyn>';

function makeEnvironment(): Environment {
  const made = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 1_000, maxMapEntries: 100 },
  });
  registerVariables(made);
  registerTexts(made);
  registerSizes(made);
  registerTimes(made);
  registerPresence(made);
  return made;
}

function registerVariables(made: Environment): void {
  const type = 'string';
  const id = 'string';
  const properties = PROPERTIES;
  made
    .registerType('Subject', { ctor: SubjectValue, fields: { type, id, properties } })
    .registerType('Action', { ctor: ActionValue, fields: { name: 'string', properties } })
    .registerType('Resource', { ctor: ResourceValue, fields: { type, id, properties } })
    .registerVariable('subject', 'Subject')
    .registerVariable('action', 'Action')
    .registerVariable('resource', 'Resource')
    .registerVariable('context', PROPERTIES)
    .registerVariable('tenant', 'string')
    .registerVariable('roles', 'list<string>')
    .registerVariable('now', TIMESTAMP);
}

function registerTexts(made: Environment): void {
  made
    .registerFunction(
      'string.x_contains(string): bool',
      paid((text = '', part = '') => text.includes(part)),
    )
    .registerFunction(
      'string.x_startsWith(string): bool',
      paid((text = '', part = '') => text.startsWith(part)),
    )
    .registerFunction(
      'string.x_endsWith(string): bool',
      paid((text = '', part = '') => text.endsWith(part)),
    )
    .registerFunction('string.x_matches(string): bool', matches)
    .registerFunction('x_matches(string, string): bool', matches)
    .registerFunction(
      'string.x_lowerAscii(): string',
      paid((text = '') => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())),
    )
    .registerFunction(
      'string.x_upperAscii(): string',
      paid((text = '') => text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())),
    )
    .registerFunction(
      'string.x_trim(): string',
      paid((text = '') => text.trim()),
    )
    .registerFunction('string.x_split(string): list<string>', paid(split))
    .registerFunction('list.x_join(): string', (list: unknown[]) => join(list, ''))
    .registerFunction('list.x_join(string): string', join)
    .registerFunction('x_double(string): double', paid(doubleOf))
    .registerFunction('x_double(double): double', (value: number) => value)
    .registerFunction('x_double(int): double', Number)
    .registerFunction('x_double(uint): double', Number);
}

function registerSizes(made: Environment): void {
  const ofText = paid((text = '') => BigInt(Array.from(text).length));
  const ofList = (list: unknown[]) => BigInt(list.length);
  const ofMap = (map: object) => BigInt(map instanceof Map ? map.size : Object.keys(map).length);
  made
    .registerFunction('x_size(string): int', ofText)
    .registerFunction('x_size(list): int', ofList)
    .registerFunction('x_size(map): int', ofMap)
    .registerFunction('string.x_size(): int', ofText)
    .registerFunction('list.x_size(): int', ofList)
    .registerFunction('map.x_size(): int', ofMap);
}

function registerTimes(made: Environment): void {
  made
    .registerFunction(`x_timestamp(string): ${TIMESTAMP}`, timestampOf)
    .registerFunction(`x_timestamp(int): ${TIMESTAMP}`, (seconds: bigint) =>
      inRange(new Date(Number(seconds) * 1_000), String(seconds)),
    )
    .registerFunction(`x_duration(string): ${DURATION}`, durationOf);
  for (const [name, read] of TIME_PARTS) {
    const inZone = (at: Date, zone: string) => BigInt(read(wallClockAt(zone, at.getTime())));
    made.registerFunction(`${TIMESTAMP}.x_${name}(): int`, (at: Date) => inZone(at, 'UTC'));
    made.registerFunction(`${TIMESTAMP}.x_${name}(string): int`, inZone);
    const span = SPANS[name];
    if (span === undefined) continue;
    made.registerFunction(`${DURATION}.x_${name}(): int`, (length: Duration) => span(length));
  }
}

function registerPresence(made: Environment): void {
  made.registerFunction(`${HAS}(map, string): bool`, (map: object, member: string) =>
    map instanceof Map ? map.has(member) : Object.hasOwn(map, member),
  );
  // Their members are known, and always there.
  for (const type of ['Subject', 'Action', 'Resource']) {
    made.registerFunction(`${HAS}(${type}, string): bool`, () => true);
  }
}

function split(text = '', by = ''): string[] {
  const parts = text.split(by, MAX_PARTS + 1);
  if (parts.length > MAX_PARTS) throw new RangeError(`\`split\` gives over ${MAX_PARTS} parts`);
  return parts;
}

function join(list: readonly unknown[], by: string): string {
  const texts = list.filter((entry) => typeof entry === 'string');
  if (texts.length < list.length) throw new TypeError('`join` takes a list of strings');
  pay(...texts);
  pay(by.repeat(Math.min(texts.length, MAX_PARTS)));
  if (texts.length > MAX_PARTS) throw new RangeError(`\`join\` takes at most ${MAX_PARTS} parts`);
  return texts.join(by);
}

function doubleOf(text = ''): number {
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)
    ? Number(text)
    : Number.NaN;
  if (Number.isFinite(value)) return value;
  throw new RangeError(`\`${text.slice(0, 40)}\` is no number`);
}

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
  for (let more = pattern.weight; more > 0; more -= 1) pay(text);
  return pattern.matches(text);
}

/** What conditions are compiled in: the variables with their types, and the functions above. */
export const environment = makeEnvironment();
