import {
  CORE_SCHEMA,
  constructFromEvents,
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from 'js-yaml';

/** A place in a text. Both count from 1; columns in UTF-16 code units, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a YAML text, and where. */
export interface YamlFault extends Position {
  readonly message: string;
}

/** A YAML text that carries nothing but JSON, with the place of each of its nodes. */
export interface YamlDocument {
  /** `undefined` where the text holds no document at all. */
  readonly value: unknown;
  /** Where the value at a JSON pointer stands; its nearest ancestor's place where it is absent. */
  at(pointer: string): Position;
  /** Where the key of the member at a JSON pointer stands; for a list's item, the item. */
  keyAt(pointer: string): Position;
  /** The place of one character of the string at a JSON pointer; `offset` in UTF-16 code units. */
  within(pointer: string, offset: number): Position;
}

/** Deepest nesting of lists and mappings that a file of ours may have. */
const MAX_DEPTH = 32;

/** Everything that YAML, or an editor's search, would not show: C0, C1, DEL, lone surrogates. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const INVISIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\p{Surrogate}/u;

/**
 * Reads a YAML text that carries nothing but JSON: one document of YAML 1.2's core schema, where
 * `09:00`, `yes` and `2026-03-30T10:00:00Z` are strings. Aliases, anchors, tags, merge keys,
 * duplicate keys, keys that are no strings, `__proto__`, control characters and nesting over 32 are
 * faults. All faults at once, but for syntax errors, which end the reading.
 *
 * @example
 * const read = parseYaml('rules:\n  - id: a\n');
 * if (!('faults' in read)) read.at('/rules/0/id'); // { line: 2, column: 9 }
 */
export function parseYaml(text: string): YamlDocument | { readonly faults: readonly YamlFault[] } {
  const positionOf = lineIndex(text);
  try {
    const invisible = INVISIBLE.exec(text);
    if (invisible) {
      const message = `remove the control character \`${codePoint(invisible[0])}\``;
      return { faults: [{ ...positionOf(invisible.index), message }] };
    }
    // The parser counts the document itself as a level.
    const events = parseEvents(text, { maxDepth: MAX_DEPTH + 1 });
    const walk = new Walk(text, events);
    if (walk.faults.length > 0) {
      return {
        faults: walk.faults.map(({ offset, message }) => ({ ...positionOf(offset), message })),
      };
    }
    const value = constructFromEvents(events, { source: text, maxAliases: 0 })[0];
    return documentOf(text, value, walk.nodes, positionOf);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line = 0, column = 0 } = error.mark ?? {};
    return { faults: [{ line: line + 1, column: column + 1, message: error.reason }] };
  }
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

/** One pass over the parser's events: where each node stands, and what JSON could not carry. */
class Walk {
  readonly nodes = new Map<string, Node>();
  readonly faults: { offset: number; message: string }[] = [];
  readonly #text: string;
  readonly #events: readonly Event[];
  #next = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
    let documents = 0;
    while (this.#next < events.length) {
      this.#next += 1;
      documents += 1;
      const offset = this.#offset(this.#events[this.#next]) ?? 0;
      if (documents === 2) this.#fault(offset, 'keep one document in a file; remove the `---`');
      this.#node(documents === 1 ? '' : `/document ${documents}`, offset);
      this.#next += 1;
    }
  }

  #fault(offset: number, message: string): void {
    this.faults.push({ offset, message });
  }

  #node(pointer: string, key: number): void {
    const event = this.#events[this.#next];
    this.#next += 1;
    if (event === undefined || event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP)
      return;
    const offset = this.#offset(event) ?? key;
    this.nodes.set(pointer, {
      key,
      value: offset,
      ...(event.type === EVENT_ID.SCALAR ? { scalar: event } : {}),
    });
    if (event.type === EVENT_ID.ALIAS) {
      this.#fault(event.anchorStart - 1, 'write the value out; aliases are not taken');
      return;
    }
    if (event.anchorStart >= 0) {
      this.#fault(event.anchorStart - 1, 'remove the anchor; aliases are not taken');
    }
    if (event.tagStart >= 0)
      this.#fault(event.tagStart, 'remove the tag; quote the value for a string');
    if (event.type === EVENT_ID.SEQUENCE) this.#items(pointer);
    else if (event.type === EVENT_ID.MAPPING) this.#members(pointer);
    else this.#scalar(event, offset);
  }

  #items(pointer: string): void {
    for (let index = 0; !this.#atEnd(); index += 1) {
      this.#node(pointerTo(pointer, index), this.#offset(this.#events[this.#next]) ?? 0);
    }
    this.#next += 1;
  }

  #members(pointer: string): void {
    const seen = new Set<string>();
    while (!this.#atEnd()) {
      const event = this.#events[this.#next];
      const offset = this.#offset(event) ?? this.nodes.get(pointer)?.value ?? 0;
      const name = event?.type === EVENT_ID.SCALAR ? getScalarValue(this.#text, event) : undefined;
      this.#node(`${pointer}/`, offset);
      if (name === undefined) this.#fault(offset, 'expected a string as the key');
      else this.#key(name, offset, seen, event);
      this.#node(pointerTo(pointer, name ?? ''), offset);
    }
    this.#next += 1;
  }

  #key(name: string, offset: number, seen: Set<string>, event: Event | undefined): void {
    if (seen.has(name)) this.#fault(offset, `the key \`${name}\` is given twice`);
    seen.add(name);
    if (name === '<<') this.#fault(offset, 'write the members out; merge keys are not taken');
    else if (name === '__proto__') this.#fault(offset, 'the key `__proto__` is not taken');
    else if (event?.type === EVENT_ID.SCALAR && typeof this.#construct(event) !== 'string') {
      this.#fault(offset, `quote the key \`${name}\`; keys are strings`);
    }
  }

  #scalar(event: ScalarEvent, offset: number): void {
    const value = this.#construct(event);
    if (typeof value === 'number' && !Number.isFinite(value)) {
      this.#fault(offset, 'expected a finite number, or quote the value for a string');
    }
    const invisible = typeof value === 'string' ? INVISIBLE.exec(value) : null;
    if (invisible)
      this.#fault(offset, `remove the control character \`${codePoint(invisible[0])}\``);
  }

  #construct(event: ScalarEvent): unknown {
    if (event.style !== SCALAR_STYLE.PLAIN) return getScalarValue(this.#text, event);
    if (event.valueStart < 0) return null;
    return CORE_SCHEMA.resolveImplicitScalarTag(getScalarValue(this.#text, event)).value;
  }

  #atEnd(): boolean {
    const event = this.#events[this.#next];
    return event === undefined || event.type === EVENT_ID.POP;
  }

  #offset(event: Event | undefined): number | undefined {
    if (event?.type === EVENT_ID.SEQUENCE || event?.type === EVENT_ID.MAPPING) return event.start;
    if (event?.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
    if (event?.type !== EVENT_ID.SCALAR || event.valueStart < 0) return undefined;
    return event.valueStart - (isQuoted(event) ? 1 : 0);
  }
}

function isQuoted(event: ScalarEvent): boolean {
  return event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED;
}

function documentOf(
  text: string,
  value: unknown,
  nodes: ReadonlyMap<string, Node>,
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

function lineIndex(text: string): (offset: number) => Position {
  const starts = [0];
  for (const end of text.matchAll(/\r\n|\r|\n/g)) starts.push(end.index + end[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

function codePoint(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
