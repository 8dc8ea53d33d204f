import { CORE_SCHEMA, EVENT_ID, getScalarValue, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import { eventAt, type PackedEvents, type YamlEvent } from './packed-events.js';
import { chunksOf, findingLines } from './text-lines.js';
import { atOnce, type Work } from './turns.js';
import { WideMap } from './wide-map.js';
import { readingEvents } from './yaml-thread.js';

/** A place in a text. Both count from 1; columns in UTF-16 code units, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a YAML text, and where. */
export interface YamlFault extends Position {
  readonly message: string;
}

/** The JSON that a YAML text carries, with the place of each of its nodes. */
export interface YamlDocument {
  /** `undefined` where the text holds no document at all. */
  readonly value: unknown;
  /**
   * Whether a fault of the very value at a JSON pointer was told already (an alias, a tag): what
   * stands there instead is of no account, and nothing more should be said of it.
   */
  isFlawed(pointer: string): boolean;
  /** Where the value at a JSON pointer stands; its nearest ancestor's place where it is absent. */
  at(pointer: string): Position;
  /** Where the key of the member at a JSON pointer stands; for a list's item, the item. */
  keyAt(pointer: string): Position;
  /** The place of one character of the string at a JSON pointer; `offset` in UTF-16 code units. */
  within(pointer: string, offset: number): Position;
}

/** All that could be made of a YAML text: the faults, and the document in so far as there is one. */
export interface YamlReading {
  readonly faults: readonly YamlFault[];
  /** Undefined where the syntax is broken. Where there are faults, it serves to find more of them. */
  readonly document: YamlDocument | undefined;
}

/** Everything that YAML, or an editor's search, would not show: C0, C1, DEL, lone surrogates. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\p{Surrogate}/gu;

/** Stands in for an invisible character while the rest is read; as long as each of them. */
const STAND_IN = '\uFFFD';

const MERGE = '<<';

/**
 * Reads a YAML text that carries nothing but JSON: one document of YAML 1.2's core schema, where
 * `09:00`, `yes` and `2026-03-30T10:00:00Z` are strings. Aliases, anchors, tags, merge keys,
 * duplicate keys, keys that are no strings, `__proto__`, control characters and nesting over 32 are
 * faults. All faults at once, but for syntax errors, which end the reading. The document comes along
 * wherever the syntax holds: of a key given twice it has the first, of several documents the first.
 *
 * @example
 * const { document } = parseYaml('rules:\n  - id: a\n');
 * document?.at('/rules/0/id'); // { line: 2, column: 9 }
 */
export function parseYaml(text: string): YamlReading {
  return atOnce(parsingYaml(text));
}

/** `parseYaml` as work of many turns: it pauses after each item of a list and each member. */
export function* parsingYaml(text: string): Work<YamlReading> {
  const lines = yield* findingLines(text);
  const positionOf = (offset: number) => positionIn(lines, offset);
  const invisible = yield* findingInvisible(text);
  const readable = invisible.length === 0 ? text : text.replace(INVISIBLE, STAND_IN);
  const told = (flaws: readonly Flaw[]) =>
    flaws.map(({ offset, message }) => ({ ...positionOf(offset), message }));
  const reading = yield* readingEvents(readable);
  if ('broken' in reading) {
    return { faults: [...told(invisible), reading.broken], document: undefined };
  }
  yield;
  const walk = new Walk(readable, reading.events, text);
  yield* walk.all();
  const flaws = [...invisible, ...walk.faults].sort((a, b) => a.offset - b.offset);
  return { faults: told(flaws), document: documentOf(readable, walk, positionOf) };
}

/** Appends one step to a JSON pointer (RFC 6901). */
export function pointerTo(parent: string, step: string | number): string {
  return `${parent}/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

interface Node {
  readonly key: number;
  readonly value: number;
  readonly scalar?: ScalarEvent;
}

interface Flaw {
  readonly offset: number;
  readonly message: string;
}

/** A JSON pointer; undefined for what is no part of the document, such as a key's second value. */
type Pointer = string | undefined;

/** One pass over the parser's events: the value, where its nodes stand, what JSON could not carry. */
class Walk {
  value: unknown;
  readonly nodes = new WideMap<Node>();
  /** Pointers of the values that could not be taken as they are. */
  readonly flawed = new Set<string>();
  readonly faults: Flaw[] = [];
  readonly #text: string;
  readonly #events: PackedEvents;
  readonly #original: string;
  #index = 0;
  /** The one at the index. */
  #next: YamlEvent | undefined;

  /** `original`: the text with its invisible characters, which have been told. */
  constructor(text: string, events: PackedEvents, original: string) {
    this.#text = text;
    this.#events = events;
    this.#original = original;
    this.#next = eventAt(events, 0);
  }

  *all(): Work<void> {
    for (let documents = 1; this.#next !== undefined; documents += 1) {
      this.#advance();
      const offset = offsetOf(this.#next) ?? 0;
      if (documents === 2) this.#fault(offset, 'keep one document in a file; remove the `---`');
      const value = yield* this.#node(documents === 1 ? '' : undefined, offset);
      if (documents === 1) this.value = value;
      this.#advance();
    }
  }

  #advance(): void {
    this.#index += 1;
    this.#next = eventAt(this.#events, this.#index);
  }

  #fault(offset: number, message: string): void {
    this.faults.push({ offset, message });
  }

  /** Tells a fault of a value, after which the value itself is of no account. */
  #flaw(pointer: Pointer, offset: number, message: string): void {
    this.#fault(offset, message);
    if (pointer !== undefined) this.flawed.add(pointer);
  }

  *#node(pointer: Pointer, key: number): Work<unknown> {
    const event = this.#next;
    if (event === undefined || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP)
      return undefined;
    this.#advance();
    const offset = offsetOf(event) ?? key;
    if (pointer !== undefined) {
      const scalar = event.type === EVENT_ID.SCALAR ? { scalar: event } : {};
      this.nodes.set(pointer, { key, value: offset, ...scalar });
    }
    if (event.type === EVENT_ID.ALIAS) {
      this.#flaw(pointer, event.anchorStart - 1, 'write the value out; aliases are not taken');
      return null;
    }
    if (event.anchorStart >= 0) {
      this.#fault(event.anchorStart - 1, 'remove the anchor; aliases are not taken');
    }
    if (event.tagStart >= 0)
      this.#flaw(pointer, event.tagStart, 'remove the tag; quote the value for a string');
    if (event.type === EVENT_ID.SEQUENCE) return yield* this.#items(pointer);
    if (event.type === EVENT_ID.MAPPING) return yield* this.#members(pointer, offset);
    return this.#scalar(event, pointer, offset);
  }

  *#items(pointer: Pointer): Work<unknown[]> {
    const items: unknown[] = [];
    while (!this.#atEnd()) {
      const offset = offsetOf(this.#next) ?? 0;
      items.push(yield* this.#node(stepFrom(pointer, items.length), offset));
      yield;
    }
    this.#advance();
    return items;
  }

  *#members(pointer: Pointer, start: number): Work<Record<string, unknown>> {
    const members: Record<string, unknown> = {};
    while (!this.#atEnd()) {
      const event = this.#next;
      const offset = offsetOf(event) ?? start;
      yield* this.#node(undefined, offset);
      const name = this.#key(event, offset, members);
      // Members that are merged in may hold what is missing.
      if (name === MERGE && pointer !== undefined) this.flawed.add(pointer);
      const isTaken = name !== undefined && name !== MERGE;
      const value = yield* this.#node(isTaken ? stepFrom(pointer, name) : undefined, offset);
      if (isTaken) members[name] = value;
      yield;
    }
    this.#advance();
    return members;
  }

  /** The name of the next member; undefined where it is not to be taken. Tells why. */
  #key(event: YamlEvent | undefined, offset: number, members: object): string | undefined {
    if (event?.type !== EVENT_ID.SCALAR) {
      this.#fault(offset, 'expected a string as the key');
      return undefined;
    }
    const name = getScalarValue(this.#text, event);
    if (name === MERGE) {
      this.#fault(offset, 'write the members out; merge keys are not taken');
      return name;
    }
    if (name === '__proto__') {
      this.#fault(offset, 'the key `__proto__` is not taken');
      return undefined;
    }
    // Told as the key was read.
    if (escapedInvisible(name) !== undefined) return undefined;
    if (Object.hasOwn(members, name)) {
      this.#fault(offset, `the key \`${name}\` is given twice`);
      return undefined;
    }
    if (typeof this.#construct(event) !== 'string') {
      this.#fault(offset, `quote the key \`${name}\`; keys are strings`);
    }
    return name;
  }

  #scalar(event: ScalarEvent, pointer: Pointer, offset: number): unknown {
    const value = this.#construct(event);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      this.#flaw(pointer, offset, 'expected a finite number, or quote the value for a string');
      return null;
    }
    const escaped = escapedInvisible(value);
    if (typeof value === 'string' && escaped !== undefined) {
      this.#flaw(pointer, offset, removeInvisible(escaped));
      return value.replace(INVISIBLE, STAND_IN);
    }
    if (pointer !== undefined && this.#hadInvisible(event)) this.flawed.add(pointer);
    return value;
  }

  #hadInvisible({ valueStart, valueEnd }: ScalarEvent): boolean {
    if (this.#original === this.#text) return false;
    return this.#original.slice(valueStart, valueEnd).search(INVISIBLE) !== -1;
  }

  #construct(event: ScalarEvent): unknown {
    if (event.style !== SCALAR_STYLE.PLAIN) return getScalarValue(this.#text, event);
    if (event.valueStart < 0) return null;
    return CORE_SCHEMA.resolveImplicitScalarTag(getScalarValue(this.#text, event)).value;
  }

  #atEnd(): boolean {
    return this.#next === undefined || this.#next.type === EVENT_ID.POP;
  }
}

/** Where what an event begins stands; undefined for one that takes no room. */
function offsetOf(event: YamlEvent | undefined): number | undefined {
  if (event?.type === EVENT_ID.SEQUENCE || event?.type === EVENT_ID.MAPPING) return event.start;
  if (event?.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  if (event?.type !== EVENT_ID.SCALAR || event.valueStart < 0) return undefined;
  return event.valueStart - (isQuoted(event) ? 1 : 0);
}

function isQuoted(event: ScalarEvent): boolean {
  return event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
}

function stepFrom(pointer: Pointer, step: string | number): Pointer {
  return pointer === undefined ? undefined : pointerTo(pointer, step);
}

function documentOf(
  text: string,
  { value, nodes, flawed }: Walk,
  positionOf: (offset: number) => Position,
): YamlDocument {
  const nearest = (pointer: string): Node => {
    for (let rest = pointer; ; rest = rest.slice(0, rest.lastIndexOf('/'))) {
      const node = nodes.get(rest);
      if (node) return node;
      if (rest === '') return { key: 0, value: 0 };
    }
  };
  return {
    value,
    isFlawed: (pointer) => flawed.has(pointer),
    at: (pointer) => positionOf(nearest(pointer).value),
    keyAt: (pointer) => positionOf(nearest(pointer).key),
    within: (pointer, offset) => {
      const { scalar, value: start } = nearest(pointer);
      if (!scalar) return positionOf(start);
      if (scalar.fast) return positionOf(scalar.valueStart + offset);
      if (scalar.style !== SCALAR_STYLE.LITERAL_BLOCK) return positionOf(start);
      const before = getScalarValue(text, scalar).slice(0, offset).split('\n');
      const first = positionOf(scalar.valueStart);
      const column = (before.at(-1) ?? '').length + Math.max(scalar.indent, 0) + 1;
      return { line: first.line + before.length - 1, column };
    },
  };
}

/** @param lines where each line starts */
function positionIn(lines: readonly number[], offset: number): Position {
  let low = 0;
  let high = lines.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (lines[low] ?? 0) + 1 };
}

/** The first invisible character of each line that has some: a line of them is put right at once. */
function* findingInvisible(text: string): Work<Flaw[]> {
  const flaws: Flaw[] = [];
  for (const chunk of chunksOf(text)) {
    let end = 0;
    for (const { index, 0: character } of chunk.text.matchAll(INVISIBLE)) {
      if (index < end) continue;
      flaws.push({ offset: chunk.start + index, message: removeInvisible(character) });
      const next = chunk.text.indexOf('\n', index);
      end = next === -1 ? chunk.text.length : next;
    }
    yield;
  }
  return flaws;
}

/** One that is left in a value was written as an escape: the others have their stand-ins. */
function escapedInvisible(value: unknown): string | undefined {
  return typeof value === 'string' ? value.match(INVISIBLE)?.[0] : undefined;
}

function removeInvisible(character: string): string {
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  return `remove the control character \`U+${code}\``;
}
