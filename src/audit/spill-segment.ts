import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { takeTurns } from '../platform/turns.js';
import type { StoredRow } from './audit-row.js';
import { lineOf, rowOfLine } from './spill-line.js';

/** Bytes read from a file at a time; more only where one line is longer. */
const CHUNK = 256 * 1024;

/** Nobody else's file, and no link to one. */
const READ_WRITE = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW;

/** Rows that were read, and how far that was. */
export interface ReadRows {
  readonly rows: readonly StoredRow[];
  /** Where the next row begins. */
  readonly end: number;
  /** Lines in between that are not as they were written. */
  readonly damaged: number;
  /** Whether the last line has no end: whoever wrote it was cut short. */
  readonly torn: boolean;
}

/** A file of rows: written at its end, read from its beginning, removed once everything was replayed. */
export class SpillSegment {
  #path: string;
  readonly #file: FileHandle;
  /** Up to here it is on the disk. */
  #size: number;
  #position = 0;
  #appending = false;
  #damaged = false;

  private constructor(path: string, file: FileHandle, size: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  /** Makes a new file, for this user alone; rejects where there is one. */
  static async create(path: string): Promise<SpillSegment> {
    const file = await open(path, READ_WRITE | constants.O_CREAT | constants.O_EXCL, 0o600);
    await syncFolder(dirname(path));
    return new SpillSegment(path, file, 0);
  }

  /** Opens a file that another process has left. */
  static async open(path: string): Promise<SpillSegment> {
    const file = await open(path, READ_WRITE);
    try {
      const { size } = await file.stat();
      return new SpillSegment(path, file, size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get path(): string {
    return this.#path;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether rows wait that were not replayed. */
  get waits(): boolean {
    return this.#position < this.#size;
  }

  get isAppending(): boolean {
    return this.#appending;
  }

  /** Adds text that ends a line; resolves when it is on the disk. */
  async append(text: Buffer): Promise<void> {
    this.#appending = true;
    try {
      await this.#file.appendFile(text);
      await this.#file.datasync();
      this.#size += text.length;
    } finally {
      this.#appending = false;
    }
  }

  /** Reads rows of no more than so many events from where replaying is; one row at least. */
  async read(maxEvents: number): Promise<ReadRows> {
    const chunk = await this.#chunk();
    const turns = takeTurns();
    const rows: StoredRow[] = [];
    let [start, events, damaged] = [0, 0, 0];
    for (let end = lineEnd(chunk, 0); end > 0; end = lineEnd(chunk, start)) {
      const row = rowOfLine(chunk.toString('utf8', start, end - 1));
      if (row === undefined) damaged += 1;
      else if (rows.length > 0 && events + row.count > maxEvents) break;
      else {
        rows.push(row);
        events += row.count;
      }
      start = end;
      if (turns.isOver()) await turns.next();
    }
    this.#damaged ||= damaged > 0;
    const torn = start < chunk.length && lineEnd(chunk, start) === 0;
    return { rows, end: this.#position + (torn ? chunk.length : start), damaged, torn };
  }

  /** Says that everything before `position` is in Postgres. */
  advance(position: number): void {
    this.#position = position;
  }

  /** Tells other processes that this file has an owner. */
  async beat(time: Date): Promise<void> {
    await utimes(this.#path, time, time);
  }

  /** Gives the file up under another name, for whoever takes it. */
  async leave(path: string): Promise<void> {
    await this.#file.close();
    await rename(this.#path, path);
    this.#path = path;
  }

  /** Lets go of the file, as it is. */
  close(): Promise<void> {
    return this.#file.close();
  }

  /** Removes the file; one with lines that could not be read stays under the name `….damaged`. */
  async remove(): Promise<void> {
    await this.#file.close();
    if (this.#damaged) await rename(this.#path, `${this.#path}.damaged`);
    else await rm(this.#path, { force: true });
  }

  /** Whole lines from where replaying is; what is left of the file where that has no end of a line. */
  async #chunk(): Promise<Buffer> {
    const rest = this.#size - this.#position;
    for (let length = CHUNK; ; length *= 2) {
      const buffer = Buffer.allocUnsafe(Math.min(length, rest));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#position);
      const chunk = buffer.subarray(0, bytesRead);
      if (chunk.length >= rest || bytesRead < buffer.length) return chunk;
      const end = chunk.lastIndexOf(0x0a) + 1;
      if (end > 0) return chunk.subarray(0, end);
    }
  }
}

/** Where the line that begins at `start` ends, its newline included; 0 where it has none. */
function lineEnd(chunk: Buffer, start: number): number {
  return chunk.indexOf(0x0a, start) + 1;
}

/** The rows as the lines of a file, in turns of the event loop. */
export async function linesOf(rows: readonly StoredRow[]): Promise<Buffer> {
  const turns = takeTurns();
  const lines: string[] = [];
  for (const row of rows) {
    lines.push(lineOf(row));
    if (turns.isOver()) await turns.next();
  }
  return Buffer.from(lines.join(''), 'utf8');
}

/** A new name is on the disk only once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
