import {
  type ChompingMode,
  EVENT_ID,
  type Event,
  type EventId,
  type ScalarEvent,
  type ScalarStyle,
} from 'js-yaml';

/** The parts of the parser's events that tell what a text holds, and where. */
export type YamlEvent = ScalarEvent | List | Mapping | Alias | Begin | End;

interface Collection {
  readonly start: number;
  readonly anchorStart: number;
  readonly tagStart: number;
}

interface List extends Collection {
  readonly type: typeof EVENT_ID.SEQUENCE;
}

interface Mapping extends Collection {
  readonly type: typeof EVENT_ID.MAPPING;
}

interface Alias {
  readonly type: typeof EVENT_ID.ALIAS;
  readonly anchorStart: number;
}

/** A document begins. */
interface Begin {
  readonly type: typeof EVENT_ID.DOCUMENT;
}

/** The document, list or mapping that was begun last ends. */
interface End {
  readonly type: typeof EVENT_ID.POP;
}

/** Events as numbers alone: another thread can be given them without a copy. */
export type PackedEvents = Int32Array<ArrayBuffer>;

const FIELDS = [
  'type',
  'start',
  'anchorStart',
  'anchorEnd',
  'tagStart',
  'tagEnd',
  'valueStart',
  'valueEnd',
  'style',
  'chomping',
  'indent',
  'fast',
] as const;

type Field = (typeof FIELDS)[number];

const WIDTH = FIELDS.length;

const PLACES = Object.fromEntries(FIELDS.map((field, place) => [field, place])) as Readonly<
  Record<Field, number>
>;

/** What the parser says of an offset that is not there; here also for what an event does not have. */
const NOTHING = -1;

/** Puts the parser's events into numbers. */
export function packEvents(events: readonly Event[]): PackedEvents {
  const packed = new Int32Array(events.length * WIDTH);
  let at = 0;
  for (const event of events) {
    const members: Partial<Record<Field, number | boolean>> = event;
    for (const field of FIELDS) {
      packed[at] = Number(members[field] ?? NOTHING);
      at += 1;
    }
  }
  return packed;
}

/** The event at an index; undefined behind the last. */
export function eventAt(packed: PackedEvents, index: number): YamlEvent | undefined {
  const from = index * WIDTH;
  if (from >= packed.length) return undefined;
  const numberOf = (field: Field) => packed[from + PLACES[field]] as number;
  const type = numberOf('type') as EventId;
  const anchorStart = numberOf('anchorStart');
  if (type === EVENT_ID.DOCUMENT || type === EVENT_ID.POP) return { type };
  if (type === EVENT_ID.ALIAS) return { type, anchorStart };
  const tagStart = numberOf('tagStart');
  if (type !== EVENT_ID.SCALAR) return { type, start: numberOf('start'), anchorStart, tagStart };
  return {
    type,
    valueStart: numberOf('valueStart'),
    valueEnd: numberOf('valueEnd'),
    anchorStart,
    anchorEnd: numberOf('anchorEnd'),
    tagStart,
    tagEnd: numberOf('tagEnd'),
    style: numberOf('style') as ScalarStyle,
    chomping: numberOf('chomping') as ChompingMode,
    indent: numberOf('indent'),
    fast: numberOf('fast') === 1,
  };
}
