import { parseEvents, YAMLException } from 'js-yaml';
import { type PackedEvents, packEvents } from './packed-events.js';

/** Deepest nesting of lists and mappings that a file of ours may have. */
const MAX_DEPTH = 32;

/** What the parser makes of a text: its events, or why and where its syntax is broken. */
export type EventsReading =
  | { readonly events: PackedEvents }
  | {
      readonly broken: { readonly line: number; readonly column: number; readonly message: string };
    };

/** Reads the events of a text in the present turn. */
export function readEvents(text: string): EventsReading {
  try {
    // The parser counts the document itself as a level.
    return { events: packEvents(parseEvents(text, { maxDepth: MAX_DEPTH + 1 })) };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line = 0, column = 0 } = error.mark ?? {};
    return { broken: { line: line + 1, column: column + 1, message: error.reason } };
  }
}
