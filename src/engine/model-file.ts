/** A fault in a model's text. Lines and columns count from 1. */
export interface ModelFault {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The option at fault, where it is none of the text: a JSON pointer such as `/request/env`. */
  readonly option?: string;
}

/** One `key = value` of a model, with the way back from offsets in the value to places in the file. */
export interface ModelEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** The place of an offset in the value; without one, of the key. */
  locate(offset?: number): { readonly line: number; readonly column: number };
}

/** A piece of a line, after comments were cut off. */
interface Piece {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

const MAX_LENGTH = 64 * 1024;

/**
 * Reads a model's text as node-casbin's `Config` does: `#` and `;` start a comment anywhere, a line
 * ending in `\` goes on in the next one. What node-casbin would pass over in silence is a fault: text
 * before the first section, a key given twice, a continuation of nothing.
 */
export function readModelFile(text: string): {
  readonly entries: readonly ModelEntry[];
  readonly faults: readonly ModelFault[];
} {
  if (text.length > MAX_LENGTH) {
    const message = `the model is longer than ${MAX_LENGTH} characters`;
    return { entries: [], faults: [{ line: 1, column: 1, message }] };
  }
  const reader = new ModelReader();
  text.split('\n').forEach((raw, index) => {
    const piece = trimmedPiece(raw, index + 1);
    if (piece) {
      reader.take(piece);
    }
  });
  reader.finish();
  return { entries: reader.entries, faults: reader.faults };
}

class ModelReader {
  readonly entries: ModelEntry[] = [];
  readonly faults: ModelFault[] = [];
  readonly #seen = new Set<string>();
  #section = '';
  #pieces: Piece[] = [];

  take(piece: Piece): void {
    if (piece.text.startsWith('[') && piece.text.endsWith(']')) {
      this.finish();
      this.#open(piece);
      return;
    }
    if (piece.text.endsWith('\\')) {
      this.#pieces.push({ ...piece, text: piece.text.slice(0, -1).trim() });
      return;
    }
    this.#pieces.push(piece);
    this.#write();
  }

  /** A section or the text ends: nothing may wait for its continuation. */
  finish(): void {
    const last = this.#pieces.at(-1);
    if (last) {
      this.#fault(last, 'the line ends in `\\`, but nothing follows that it could go on with');
      this.#pieces = [];
    }
  }

  #open(piece: Piece): void {
    this.#section = piece.text.slice(1, -1);
    if (!this.#once(`[${this.#section}]`)) {
      this.#fault(piece, `the section \`[${this.#section}]\` is given twice; join the two`);
    }
  }

  #write(): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    const [first] = pieces;
    if (!first) {
      return;
    }
    const whole = pieces.map((piece) => piece.text).join('');
    const equals = whole.indexOf('=');
    if (equals === -1) {
      this.#fault(first, `expected \`key = value\`, found \`${whole.slice(0, 40)}\``);
      return;
    }
    if (this.#section === '') {
      this.#fault(first, 'this stands before the first section, such as `[request_definition]`');
      return;
    }
    this.#add(pieces, whole, equals, first);
  }

  #add(pieces: readonly Piece[], whole: string, equals: number, first: Piece): void {
    const key = whole.slice(0, equals).trim();
    const after = whole.slice(equals + 1);
    const start = equals + 1 + (after.length - after.trimStart().length);
    if (!this.#once(`[${this.#section}] ${key}`)) {
      this.#fault(first, `\`${key}\` is given twice in \`[${this.#section}]\`; keep one`);
      return;
    }
    this.entries.push({
      section: this.#section,
      key,
      value: after.trim(),
      locate: (offset) =>
        offset === undefined
          ? { line: first.line, column: first.column }
          : placeOf(pieces, start + offset),
    });
  }

  #once(name: string): boolean {
    const isNew = !this.#seen.has(name);
    this.#seen.add(name);
    return isNew;
  }

  #fault(piece: Piece, message: string): void {
    this.faults.push({ line: piece.line, column: piece.column, message });
  }
}

function trimmedPiece(raw: string, line: number): Piece | undefined {
  const uncommented = (raw.split('#')[0] ?? '').split(';')[0] ?? '';
  const text = uncommented.trim();
  const column = uncommented.length - uncommented.trimStart().length + 1;
  return text === '' ? undefined : { text, line, column };
}

function placeOf(
  pieces: readonly Piece[],
  offset: number,
): { readonly line: number; readonly column: number } {
  let before = 0;
  let place = { line: 1, column: 1 };
  for (const piece of pieces) {
    place = { line: piece.line, column: piece.column + offset - before };
    before += piece.text.length;
    if (offset < before) {
      break;
    }
  }
  return place;
}
