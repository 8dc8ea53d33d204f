import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { Clock } from '../platform/clock.js';
import type { Eventual } from '../platform/eventual.js';
import { type AuditLog, type AuditMetrics, Backlog, type BacklogLimits } from './backlog.js';
import { rowOf, type StoredRow } from './audit-row.js';
import { copyRows } from './copy-rows.js';
import type { AuditEvent, RecordedEvent } from './event.js';
import { insertRows, SEQ_BLOCK } from './event-store.js';
import { ensureAuditPartitions, monthOf } from './partitions.js';
import type { Spill } from './spill.js';

/**
 * How decisions reach the audit. `strict`: no answer before its event is committed; `buffered`:
 * committed within a second, or on disk while Postgres is away; `off`: decisions are not stored.
 */
export type AuditMode = 'strict' | 'buffered' | 'off';

/** Where every event goes. Changes use `write`, inside their own transaction; decisions use `record`. */
export interface AuditRecorder {
  /**
   * Takes an event as the mode says, at once where nobody waits for it. Rejects with `Unavailable`
   * where it cannot be kept: the caller must then not answer.
   */
  record(event: AuditEvent): Eventual<void>;
  /**
   * Undefined where as many events as one request can make may come; else resolves, within half a second,
   * once some of those that wait are written. Who asks first is hardly slowed down in the middle, holding
   * what it has done so far.
   */
  room(): Promise<void> | undefined;
  /** False where decisions are not stored: nobody need make an event of one. */
  readonly keepsDecisions: boolean;
  /** Writes events with the caller's transaction, whatever the mode: they commit with it or not at all. */
  write(transaction: DatabaseTransaction, ...events: readonly AuditEvent[]): Promise<void>;
  /** Resolves when everything recorded so far is committed, and what was on disk; throws `Unavailable` where that fails. */
  flush(): Promise<void>;
  /**
   * Takes no more events and flushes, or leaves them on disk; gives up after 5 seconds and logs how
   * many events are lost.
   */
  close(): Promise<void>;
  /** Events taken and neither committed nor on disk yet. */
  readonly pending: number;
}

/** What a recorder is made of. */
export interface RecorderOptions {
  readonly database: Database;
  readonly mode: AuditMode;
  readonly log: AuditLog;
  readonly metrics?: AuditMetrics;
  readonly clock: Clock;
  /** The paths to mask in `detail.check`, those of the bundle in force; asked at every event. */
  readonly redactPaths?: () => readonly string[];
  /**
   * Where `buffered` keeps events while Postgres is away; it belongs to the recorder from then on. In
   * every mode, what was left there is replayed. Without one, they are held in memory.
   */
  readonly spill?: Spill;
  /** Other bounds than the usual ones. */
  readonly limits?: Partial<BacklogLimits>;
}

/** Milliseconds between two tries to make the partitions of a month. */
const PARTITION_RETRY = 60_000;

/**
 * Writes events with a transaction at a time when there is no recorder yet, or none is needed; the
 * time is `now`, in milliseconds, for those that do not say when.
 */
export async function writeEvents(
  transaction: DatabaseTransaction,
  now: number,
  ...events: readonly AuditEvent[]
): Promise<void> {
  const recorded = events.map((event) => recordedAt(event, now, []));
  await insertInBlocks(transaction, recorded);
}

/** Makes the recorder of a process. One is enough, and the order of its events is kept. */
export function createAuditRecorder(options: RecorderOptions): AuditRecorder {
  return new Recorder(options);
}

class Recorder implements AuditRecorder {
  readonly keepsDecisions: boolean;
  readonly #options: RecorderOptions;
  readonly #backlog: Backlog;
  #partitionedMonth: string | undefined;
  #partitionTry: Promise<void> | undefined;
  #nextPartitionTry = Number.NEGATIVE_INFINITY;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.keepsDecisions = options.mode !== 'off';
    this.#backlog = new Backlog({
      confirm: options.mode === 'strict',
      send: (rows, how) => this.#send(rows, how),
      log: options.log,
      metrics: options.metrics,
      spill: options.spill,
      limits: options.limits ?? {},
    });
    options.spill?.start(() => this.#backlog.wake());
  }

  get pending(): number {
    return this.#backlog.pending;
  }

  record(event: AuditEvent): Eventual<void> {
    if (!this.keepsDecisions && event.kind === 'decision') return;
    return this.#backlog.add(this.#recorded(event));
  }

  room(): Promise<void> | undefined {
    return this.#backlog.room();
  }

  async write(transaction: DatabaseTransaction, ...events: readonly AuditEvent[]): Promise<void> {
    this.#makePartitions();
    await insertInBlocks(
      transaction,
      events.map((event) => this.#recorded(event)),
    );
  }

  flush(): Promise<void> {
    return this.#backlog.flush();
  }

  async close(): Promise<void> {
    await this.#backlog.close();
    await this.#options.spill?.close();
    await this.#partitionTry;
  }

  #recorded(event: AuditEvent): RecordedEvent {
    const { clock, redactPaths } = this.#options;
    return recordedAt(event, clock.now(), redactPaths?.() ?? NO_PATHS);
  }

  /** What may be there already is inserted where it is not; a copy would fail. */
  async #send(
    rows: readonly StoredRow[],
    { again, lasting = false }: { readonly again: boolean; readonly lasting?: boolean },
  ): Promise<void> {
    this.#makePartitions();
    const { database, mode } = this.#options;
    if (again) return insertRows(database, rows);
    return copyRows(database, rows, { relaxed: mode !== 'strict' && !lasting });
  }

  /** In the background, when a month begins: no insert waits for it, none needs it. */
  #makePartitions(): void {
    const { database, clock, log } = this.#options;
    const now = clock.now();
    const month = monthOf(now);
    if (month === this.#partitionedMonth || now < this.#nextPartitionTry) return;
    this.#nextPartitionTry = now + PARTITION_RETRY;
    this.#partitionTry = ensureAuditPartitions(database, now)
      .then(() => void (this.#partitionedMonth = month))
      .catch((error: unknown) => {
        log.warn({ err: error }, 'the partitions of the audit could not be made; trying again');
      });
  }
}

const NO_PATHS: readonly string[] = [];

function recordedAt(event: AuditEvent, now: number, redactPaths: readonly string[]): RecordedEvent {
  return { event, at: event.at === undefined ? now : event.at.getTime(), redactPaths };
}

async function insertInBlocks(
  transaction: DatabaseTransaction,
  events: readonly RecordedEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += SEQ_BLOCK) {
    await insertRows(transaction, events.slice(start, start + SEQ_BLOCK).map(rowOf));
  }
}
