import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.js';
import type { Logger } from '../platform/log.js';
import { type Repetition, repeat } from '../platform/repeat.js';
import type { StoredRow } from './audit-row.js';
import { SEQ_BLOCK } from './event-store.js';
import { linesOf, SpillSegment } from './spill-segment.js';

/** The metrics that a spill feeds. */
export interface SpillMetrics {
  readonly auditSpilled: { inc(events: number): void };
  readonly auditReplayed: { inc(events: number): void };
  readonly auditSpillBytes: { set(bytes: number): void };
  readonly auditSpillRefuses: { set(processes: 0 | 1): void };
}

/** What a spill is made of. */
export interface SpillOptions {
  /** Where the files are; made where it is missing. Several processes may share it. */
  readonly folder: string;
  /** Bytes that all files in it may take: with more, and with about so many, no event is taken. */
  readonly maxBytes: number;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  readonly metrics?: SpillMetrics | undefined;
  /** The time that files are marked with as in use. */
  readonly clock: Clock;
  /** Milliseconds on a clock that never jumps; this process's own unless given. */
  readonly elapsed?: () => number;
}

/** How a spill is doing, for monitors. */
export interface SpillState {
  /** Bytes that wait to be replayed. */
  readonly bytes: number;
  /** Whether the last events could not be kept: the files are full, or cannot be written. */
  readonly refuses: boolean;
}

/** A file of somebody else, and since when it is as it is. */
interface Sighting {
  readonly mark: string;
  readonly since: number;
  readonly bytes: number;
}

/** Bytes in one file, about: what was replayed is removed file by file. */
const SEGMENT = 32 * 1024 * 1024;

/** Milliseconds between two looks at the folder, in which the own files are marked as in use. */
const LOOK = 2_000;

/** An owner that could not mark its files for so many milliseconds must take them for taken. */
const LEASE = 6_000;

/** A file that nobody has marked for so many milliseconds has no owner: well beyond `LEASE`. */
const ABANDONED = 15_000;

const SUFFIX = '.spill';
/** Begins the name of a file that its owner has given up. */
const LEFT = 'left-';

/**
 * The events that wait on disk while Postgres is away, in files of a folder: those of this process, in
 * their order, and those that others have left.
 *
 * Whoever owns a file marks it every other second. One that stays unmarked is taken by renaming it,
 * which only one process can do. Should its owner wake up again, it knows by its own clock that it
 * slept too long, and begins a new file. Rows may be replayed twice by that, which Postgres notices;
 * none is lost.
 */
export class Spill {
  readonly #options: SpillOptions;
  readonly #elapsed: () => number;
  readonly #owner = `${process.pid}-${randomUUID().slice(0, 8)}`;
  readonly #segments: SpillSegment[] = [];
  /** Files of others, when each was seen first as it is. */
  #strangers: ReadonlyMap<string, Sighting> = new Map();
  #current: SpillSegment | undefined;
  #count = 0;
  #lastBeat: number;
  /** Why events are refused, where they are. */
  #refusal: string | undefined;
  #closed = false;
  #looking: Repetition | undefined;
  #onFound = (): void => {};
  #prepared: Promise<void> | undefined;
  /** The latest rows that were to be kept. */
  #appended: Promise<boolean> | undefined;

  constructor(options: SpillOptions) {
    this.#options = options;
    this.#elapsed = options.elapsed ?? (() => performance.now());
    this.#lastBeat = this.#elapsed();
  }

  /** Looks for files that were left, now and then; `onFound` is told when there is something to replay. */
  start(onFound: () => void): void {
    this.#onFound = onFound;
    // Better told now than once Postgres is away.
    this.#prepared = prepareFolder(this.#options.folder).catch((error: unknown) => {
      this.#options.log.error({ err: error }, UNWRITABLE);
    });
    this.#looking = repeat('audit spill', LOOK, () => this.look(), this.#options.log);
    this.#looking.soon();
  }

  /** Whether rows wait to be replayed. */
  get waits(): boolean {
    return this.#segments.some((segment) => segment.waits);
  }

  get state(): SpillState {
    return { bytes: this.waits ? this.#bytes : 0, refuses: this.#refusal !== undefined };
  }

  /**
   * Whether there is room for events of so many characters, about, that are not on the disk yet. To be
   * asked before one is taken: what was taken is kept, and may then take a little more than there is. Once
   * there is none, there is none until some of it was replayed.
   */
  hasRoom(characters: number): boolean {
    if (this.#refusal === FULL && this.waits) return false;
    const { maxBytes } = this.#options;
    const bytes = this.state.bytes + this.#othersBytes;
    if (bytes + characters <= maxBytes) return true;
    this.#refuse({ bytes, max: maxBytes }, FULL);
    return false;
  }

  /** Keeps rows; resolves when they are on the disk, with false where they cannot be written. */
  append(rows: readonly StoredRow[]): Promise<boolean> {
    const appended = this.#append(rows);
    this.#appended = appended;
    return appended;
  }

  async #append(rows: readonly StoredRow[]): Promise<boolean> {
    const { metrics } = this.#options;
    const text = await linesOf(rows);
    try {
      // Written again where the file was perhaps taken meanwhile: who took it may not have seen this.
      do await this.#write(text);
      while (this.#hasOverslept());
    } catch (error) {
      this.#refuse({ err: error }, UNWRITABLE);
      return false;
    }
    if (this.#refusal === UNWRITABLE) this.accept();
    metrics?.auditSpilled.inc(eventsIn(rows));
    this.#report();
    return true;
  }

  /** Says that events are taken again, by the disk or by Postgres, where they are. */
  accept(): void {
    if (this.#refusal === undefined) return;
    const isFull = this.#bytes + this.#othersBytes >= this.#options.maxBytes;
    if (this.#refusal === FULL && isFull && this.waits) return;
    this.#refusal = undefined;
    this.#options.log.warn('audit events find room again');
    this.#report();
  }

  /** Hands the next rows to `send`, and forgets them once they are committed; rejects where `send` does. */
  async replay(send: (rows: readonly StoredRow[]) => Promise<void>): Promise<void> {
    const segment = this.#segments.find(({ waits }) => waits);
    if (segment === undefined) return;
    const { log, metrics } = this.#options;
    const { rows, end, damaged, torn } = await segment.read(SEQ_BLOCK);
    if (rows.length > 0) await send(rows);
    segment.advance(end);
    if (damaged > 0) log.error({ file: segment.path, lines: damaged }, DAMAGED);
    if (torn) log.warn({ file: segment.path }, TORN);
    metrics?.auditReplayed.inc(eventsIn(rows));
    if (!segment.waits && !segment.isAppending) await this.#remove(segment);
    this.#report();
  }

  /** Marks the own files, and takes those that nobody owns. */
  async look(): Promise<void> {
    const { clock, folder } = this.#options;
    this.#hasOverslept();
    const time = new Date(clock.now());
    await Promise.all(this.#segments.map((segment) => this.#mark(segment, time)));
    this.#lastBeat = this.#elapsed();
    const strangers = new Map<string, Sighting>();
    for (const name of await spillFiles(folder)) {
      const path = join(folder, name);
      if (this.#closed || this.#segments.some((segment) => segment.path === path)) continue;
      const sighting = await this.#sight(name, path);
      if (sighting === undefined) continue;
      const isLeft = name.startsWith(LEFT) || this.#elapsed() - sighting.since >= ABANDONED;
      if (isLeft) await this.#take(path);
      else strangers.set(name, sighting);
    }
    this.#strangers = strangers;
    this.#report();
    if (this.waits) this.#onFound();
  }

  /** Leaves what waits to whoever comes next. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#prepared;
    await this.#looking?.stop();
    // What is being written is left with the rest.
    await this.#appended;
    for (const segment of this.#forgetAll()) {
      try {
        if (segment.waits) await segment.leave(this.#newPath(LEFT));
        else await segment.remove();
      } catch (error) {
        // It is found all the same, a little later.
        this.#options.log.warn({ err: error, file: segment.path }, 'a spill file stays as it is');
      }
    }
  }

  async #write(text: Buffer): Promise<void> {
    this.#hasOverslept();
    // Without a turn in between: it is not removed while it is being written.
    const segment = this.#writable ?? (await this.#begin());
    try {
      await segment.append(text);
    } catch (error) {
      // What it ends with is unknown: nothing may follow that.
      this.#current = undefined;
      if (!segment.waits) await this.#remove(segment);
      throw error;
    }
  }

  get #writable(): SpillSegment | undefined {
    return this.#current !== undefined && this.#current.size < SEGMENT ? this.#current : undefined;
  }

  async #begin(): Promise<SpillSegment> {
    await prepareFolder(this.#options.folder);
    const segment = await SpillSegment.create(this.#newPath());
    this.#segments.push(segment);
    this.#current = segment;
    return segment;
  }

  /** Whether others may have taken the own files for abandoned; they are theirs then. */
  #hasOverslept(): boolean {
    const now = this.#elapsed();
    if (now - this.#lastBeat < LEASE) return false;
    this.#lastBeat = now;
    for (const segment of this.#forgetAll()) {
      segment.close().catch((error: unknown) => {
        this.#options.log.warn({ err: error, file: segment.path }, 'a spill file cannot be closed');
      });
    }
    return true;
  }

  #forgetAll(): SpillSegment[] {
    this.#current = undefined;
    return this.#segments.splice(0);
  }

  async #mark(segment: SpillSegment, time: Date): Promise<void> {
    try {
      await segment.beat(time);
    } catch (error) {
      // Removed meanwhile, as it should be once it was replayed.
      if (!this.#segments.includes(segment)) return;
      this.#options.log.warn({ err: error, file: segment.path }, 'a spill file cannot be marked');
    }
  }

  async #sight(name: string, path: string): Promise<Sighting | undefined> {
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined || !found.isFile()) return undefined;
    const { mtimeMs, size } = found;
    const mark = `${mtimeMs} ${size}`;
    const known = this.#strangers.get(name);
    if (known?.mark === mark) return known;
    return { mark, since: this.#elapsed(), bytes: size };
  }

  async #take(path: string): Promise<void> {
    const own = this.#newPath();
    try {
      await rename(path, own);
      const segment = await SpillSegment.open(own);
      await segment.beat(new Date(this.#options.clock.now()));
      if (segment.waits) this.#segments.push(segment);
      else await segment.remove();
    } catch (error) {
      // Somebody else was faster.
      if (Reflect.get(Object(error), 'code') === 'ENOENT') return;
      this.#options.log.warn({ err: error, file: path }, 'a spill file cannot be taken');
    }
  }

  async #remove(segment: SpillSegment): Promise<void> {
    if (this.#current === segment) this.#current = undefined;
    const place = this.#segments.indexOf(segment);
    if (place === -1) return;
    this.#segments.splice(place, 1);
    await segment.remove();
  }

  #newPath(prefix = ''): string {
    this.#count += 1;
    return join(this.#options.folder, `${prefix}${this.#owner}-${this.#count}${SUFFIX}`);
  }

  /** Says so once, until it is possible again. */
  #refuse(members: object, message: string): void {
    if (this.#refusal === undefined) this.#options.log.error(members, message);
    this.#refusal = message;
    this.#report();
  }

  get #othersBytes(): number {
    return [...this.#strangers.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get #bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0);
  }

  #report(): void {
    const { metrics } = this.#options;
    metrics?.auditSpillBytes.set(this.#bytes);
    metrics?.auditSpillRefuses.set(this.#refusal === undefined ? 0 : 1);
  }
}

const FULL =
  'the audit’s spill files are full: checks get 503 while Postgres is away; raise COUNTERSIGN_AUDIT_SPILL_MAX where the disk has room';
const UNWRITABLE =
  'the audit’s spill files cannot be written: checks get 503 while Postgres is away; make room, and let this user write in the data directory';
const DAMAGED =
  'a spill file has lines that are not as they were written; all others are replayed, and it stays as `….damaged`: look at the disk';
const TORN =
  'the last line of a spill file is cut short, by a crash; everything before it is replayed';

/** Makes the folder of the files, or makes sure that it is for this user alone. */
async function prepareFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

async function spillFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(SUFFIX)).sort();
  } catch (error) {
    if (Reflect.get(Object(error), 'code') === 'ENOENT') return [];
    throw error;
  }
}

function eventsIn(rows: readonly StoredRow[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}
