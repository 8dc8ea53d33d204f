import { Util } from 'casbin';
import { globFault, ipRangeFault } from './pattern-faults.js';
import { captureCount, keyMatch4Captures, keyPattern, type KeyDialect } from './key-pattern.js';
import { compileRegex, type LinearRegex } from './regex.js';
import { compileSegments } from './segment-pattern.js';

/** One of Casbin's built-in functions as matchers call it. */
export interface NamedFunction {
  readonly arity: number;
  /** Runs it. Throws where node-casbin's would throw, and where it would not come to an end. */
  readonly call: (...args: readonly unknown[]) => unknown;
  /**
   * The same for a pattern (the second argument) that is asked again and again: whatever can be made
   * ready is. The pattern must be without fault.
   */
  readonly compile: (pattern: string) => (text: string) => unknown;
  /** What is wrong with a pattern (the second argument), for its author; undefined if nothing is. */
  readonly patternFault: (pattern: string) => string | undefined;
}

export type NamedFunctions = ReadonlyMap<string, NamedFunction>;

/** Longest text that a function without linear time takes from a request. */
const MAX_GLOB_INPUT = 1024;
const MAX_IP_INPUT = 64;

/**
 * Casbin's built-in functions, by name. Those over regular expressions are node-casbin's on another
 * machine: same patterns, same answers, but in linear time (see `compileRegex`), for node-casbin's own
 * can be made to run for ever by a request. Compiled patterns are kept for as long as the result is.
 */
export function createNamedFunctions(): NamedFunctions {
  const compiled = new Map<string, LinearRegex>();
  const regex = (pattern: string): LinearRegex => {
    const known = compiled.get(pattern) ?? compileRegex(pattern);
    compiled.set(pattern, known);
    return known;
  };
  const keyRegex = (dialect: KeyDialect) => {
    const keys = new Map<string, (key: string) => boolean>();
    return (key: string, pattern: string) => {
      const known = keys.get(pattern) ?? compileKey(keyPattern(dialect, pattern), regex);
      keys.set(pattern, known);
      return known(key);
    };
  };
  const keyMatch2 = keyRegex('keyMatch2');
  const keyMatch5 = keyRegex('keyMatch5');
  return new Map<string, NamedFunction>([
    ['keyMatch', plain(2, Util.keyMatchFunc)],
    ['keyGet', plain(2, Util.keyGetFunc)],
    ['keyMatch2', overKeys('keyMatch2', keyMatch2)],
    ['keyMatch3', overKeys('keyMatch3', keyRegex('keyMatch3'))],
    ['keyMatch4', overKeys('keyMatch4', (key, pattern) => matchKey4(regex, key, pattern))],
    [
      'keyMatch5',
      overKeys('keyMatch5', (key, pattern) => keyMatch5(key.split('?')[0] ?? '', pattern)),
    ],
    ['keyGet2', { ...overKeys('keyMatch2', keyMatch2), arity: 3, call: keyGet2(keyMatch2) }],
    [
      'regexMatch',
      {
        arity: 2,
        call: (text, pattern) => regex(asText(pattern)).test(asText(text)),
        compile: (pattern) => {
          const compiled = regex(pattern);
          return (text) => compiled.test(text);
        },
        patternFault: (pattern) => faultOf(() => compileRegex(pattern)),
      },
    ],
    ['ipMatch', { ...plain(2, ipMatch), patternFault: ipRangeFault }],
    ['globMatch', { ...plain(2, globMatch), patternFault: globFault }],
  ]);
}

/** How node-casbin reads the arguments of its functions: nothing, zero and false are empty text. */
export function asText(value: unknown): string {
  return stringOf(value || '');
}

/** `value.toString()`, of objects too, as node-casbin has it. */
export function stringOf(value: unknown): string {
  // oxlint-disable-next-line typescript/no-base-to-string -- objects become what node-casbin makes of them
  return String(value);
}

function plain(arity: number, call: (...args: unknown[]) => unknown): NamedFunction {
  return {
    arity,
    call,
    compile: (pattern) => (text) => call(text, pattern),
    patternFault: () => undefined,
  };
}

function overKeys(
  dialect: KeyDialect,
  match: (key: string, pattern: string) => boolean,
): NamedFunction {
  return {
    arity: 2,
    call: (key, pattern) => match(asText(key), asText(pattern)),
    compile: (pattern) => (key) => match(key, pattern),
    patternFault: (pattern) =>
      faultOf(() => {
        const source = keyPattern(dialect, pattern);
        if (compileSegments(source) !== undefined) return;
        const regex = compileRegex(source);
        if (dialect === 'keyMatch4' && captureCount(pattern) !== regex.groupCount()) {
          throw new Error(`\`${pattern}\` may hold no groups besides \`{name}\``);
        }
      }),
  };
}

function faultOf(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The match of a key pattern's expression, by the least that can do it. */
function compileKey(
  source: string,
  regex: (pattern: string) => LinearRegex,
): (key: string) => boolean {
  const segments = compileSegments(source);
  if (segments !== undefined) return segments;
  const compiled = regex(source);
  return (key) => compiled.test(key);
}

function matchKey4(regex: (pattern: string) => LinearRegex, key: string, pattern: string): boolean {
  const found = regex(keyPattern('keyMatch4', pattern)).exec(key);
  return found !== null && keyMatch4Captures(pattern, found.slice(1));
}

/** node-casbin's `keyGet2`: what stands in the key at the place of `:name` in the pattern. */
function keyGet2(match: (key: string, pattern: string) => boolean) {
  return (...args: readonly unknown[]): string | undefined => {
    const [key = '', pattern = '', name = ''] = args.map(asText);
    const names = pattern.match(/[^/]+/g);
    const values = key.match(/[^/]+/g);
    if (!match(key, pattern) || !names || !values) {
      return '';
    }
    const index = names.indexOf(`:${name}`);
    return index === -1 ? '' : values[index];
  };
}

function ipMatch(address: unknown, range: unknown): unknown {
  const text = asText(address);
  if (text.length > MAX_IP_INPUT || ipRangeFault(asText(range)) !== undefined) {
    throw new Error('`ipMatch` was given what is no IP address');
  }
  return Util.ipMatchFunc(text, asText(range));
}

function globMatch(path: unknown, pattern: unknown): unknown {
  if (typeof path !== 'string' || typeof pattern !== 'string') {
    throw new TypeError('`globMatch` takes text alone');
  }
  if (path.length > MAX_GLOB_INPUT || globFault(pattern) !== undefined) {
    throw new Error(`\`globMatch\` takes paths of at most ${MAX_GLOB_INPUT} characters`);
  }
  return Util.globMatch(path, pattern);
}
