import type { Work } from './turns.js';

/** UTF-16 code units, and then the rest of the line, that are looked through in one turn. */
const CHUNK = 32 * 1024;

/** Some lines of a text. */
export interface TextChunk {
  /** Where it starts in the text. */
  readonly start: number;
  readonly text: string;
}

/** A text in chunks of whole lines: no pair of surrogates, nor of CR and LF, falls in between two. */
export function* chunksOf(text: string): Iterable<TextChunk> {
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf('\n', start + CHUNK) + 1 || text.length;
    yield { start, text: text.slice(start, end) };
    start = end;
  }
}

/** Where each line of a text starts; as YAML has it, CR LF, LF and CR end one. */
export function* findingLines(text: string): Work<number[]> {
  const starts = [0];
  for (const chunk of chunksOf(text)) {
    for (const { index, 0: end } of chunk.text.matchAll(/\r\n|\r|\n/g)) {
      starts.push(chunk.start + index + end.length);
    }
    yield;
  }
  return starts;
}
