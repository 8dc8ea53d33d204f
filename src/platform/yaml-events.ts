import { EVENT_ID, type Event, parseEvents, YAMLException } from 'js-yaml';
import type { Work } from './turns.js';

/** How a text is read. */
export interface ReadingOptions {
  /** Deepest nesting, the document itself included. */
  readonly maxDepth: number;
  /** UTF-16 code units that are read in one turn, where the text has a list that can be cut. */
  readonly piece?: number;
}

const PIECE = 16 * 1024;

/** A text whose list begins later than this is read whole: each piece is read behind what comes before it. */
const MAX_HEAD = 4 * 1024;

const DASH = '- ';

/** Lines that are looked at before a turn may end. */
const LINES = 1_000;

/** The offsets that events have; `-1` where there is nothing. */
const OFFSETS = [
  'start',
  'anchorStart',
  'anchorEnd',
  'tagStart',
  'tagEnd',
  'valueStart',
  'valueEnd',
] as const;

/**
 * js-yaml's events of a text, read in many turns where it is long and its first list is a plain block:
 * some items at a time, each time behind what stands before the list. The events are those of the whole
 * text; where a piece does not read as a part of it would, the whole is read in one turn after all.
 *
 * @param lines where each line starts
 * @throws YAMLException where the syntax is broken
 */
export function* readingEvents(
  text: string,
  lines: readonly number[],
  { maxDepth, piece = PIECE }: ReadingOptions,
): Work<Event[]> {
  const whole = () => parseEvents(text, { maxDepth });
  const cuts = yield* findingCuts(text, lines, piece);
  if (cuts.length < 2) return whole();
  const head = text.slice(0, cuts[0]);
  const events: Event[] = [];
  for (const [index, cut] of cuts.entries()) {
    const isLast = index === cuts.length - 1;
    const read = readPiece(head, text.slice(cut, cuts[index + 1]), maxDepth);
    // The cuts see to it that the list goes on behind each piece but the last; should it not, all is read.
    if (read === undefined || !(isLast || read.isClosing)) return whole();
    const shift = cut - head.length;
    const from = index === 0 ? 0 : read.items;
    const to = isLast ? read.events.length : read.end;
    for (let at = from; at < to; at += 1) events.push(shifted(read.events[at] as Event, shift));
    // Only the last one knows how the document ends.
    if (isLast) for (let at = 0; at < read.items; at += 1) events[at] = read.events[at] as Event;
    yield;
  }
  return events;
}

/** Events of some items of a list, behind what stands before the list. */
interface Piece {
  readonly events: readonly Event[];
  /** Where the list's items begin among them. */
  readonly items: number;
  /** Where they end. */
  readonly end: number;
  /** Whether nothing follows the list. */
  readonly isClosing: boolean;
}

/** Undefined where the syntax is broken, or what begins with the items is no list. */
function readPiece(head: string, items: string, maxDepth: number): Piece | undefined {
  const events = eventsOf(head + items, maxDepth);
  if (events === undefined) return undefined;
  const dash = head.length + indentAt(items, 0);
  const list = events.findIndex(
    (event) => event.type === EVENT_ID.SEQUENCE && event.start === dash,
  );
  const isBehindHead = events.slice(0, list).every((event) => endOf(event) <= head.length);
  if (list === -1 || !isBehindHead) return undefined;
  let depth = 1;
  let end = list;
  while (depth > 0 && end < events.length) {
    end += 1;
    const type = events[end]?.type;
    if (type === EVENT_ID.POP) depth -= 1;
    else if (type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING) depth += 1;
  }
  const isClosing = events.slice(end).every(({ type }) => type === EVENT_ID.POP);
  return { events, items: list + 1, end, isClosing };
}

function eventsOf(text: string, maxDepth: number): Event[] | undefined {
  try {
    return parseEvents(text, { maxDepth });
  } catch (error) {
    if (error instanceof YAMLException) return undefined;
    throw error;
  }
}

/** Where a scalar ends; other events end nowhere. */
function endOf(event: Event): number {
  return event.type === EVENT_ID.SCALAR ? event.valueEnd : 0;
}

function shifted(event: Event, shift: number): Event {
  const offsets = event as Partial<Record<(typeof OFFSETS)[number], number>>;
  for (const name of OFFSETS) {
    const offset = offsets[name];
    if (offset !== undefined && offset >= 0) offsets[name] = offset + shift;
  }
  return event;
}

/**
 * Where the pieces begin: at items of the first block list, at the start of their lines. None where the
 * text is short, and none behind a line that may end the list.
 */
function* findingCuts(text: string, lines: readonly number[], piece: number): Work<number[]> {
  const cuts: number[] = [];
  if (text.length <= piece) return cuts;
  let item: string | undefined;
  for (let line = 0; line < lines.length; line += 1) {
    const start = lines[line] as number;
    item ??= startOfItem(text, start);
    if (item === undefined) {
      if (start > MAX_HEAD) return cuts;
    } else if (!text.startsWith(item, start)) {
      if (mayEnd(text, start, item.length - DASH.length)) return cuts;
    } else if (start - (cuts.at(-1) ?? Number.NEGATIVE_INFINITY) >= piece) {
      cuts.push(start);
    }
    if (line % LINES === 0) yield;
  }
  return cuts;
}

/** The indentation and the dash of a line that may be the first item of a list. */
function startOfItem(text: string, start: number): string | undefined {
  const dash = start + indentAt(text, start);
  return text.startsWith(DASH, dash) ? text.slice(start, dash) + DASH : undefined;
}

/** Whether a line that is no item stands no further in than the items do, and is more than a comment. */
function mayEnd(text: string, start: number, indent: number): boolean {
  const own = indentAt(text, start);
  return own <= indent && !['\n', '\r', '#', undefined].includes(text[start + own]);
}

function indentAt(text: string, start: number): number {
  let at = start;
  while (text[at] === ' ') at += 1;
  return at - start;
}
