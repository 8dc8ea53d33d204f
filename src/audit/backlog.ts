import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { Unavailable } from '../errors.js';
import type { Eventual } from '../platform/eventual.js';
import { later, withinTime } from '../platform/later.js';
import type { StoredRow } from './audit-row.js';
import type { RecordedEvent } from './event.js';
import { type SendRows, sendWhatCanBe } from './send-rows.js';
import type { Spill } from './spill.js';
import { rowsOf, type Taken, WaitingEvents } from './waiting-events.js';
import { weightOf } from './weight.js';

/** The part of the log that the audit uses. */
export interface AuditLog {
  warn(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** The metrics that the audit feeds. */
export interface AuditMetrics {
  /** Asks for the events that wait, from now on. */
  watchAuditPending(pending: () => number): void;
  readonly auditFailures: { inc(): void };
}

/** The bounds of a backlog. */
export interface BacklogLimits {
  /** Events held at most. */
  readonly events: number;
  /** Characters held at most, over all events, as `weightOf` counts them. */
  readonly characters: number;
  /** Events sent in one statement at most; no more than `SEQ_BLOCK`. */
  readonly batch: number;
  /** Characters sent in one statement, about; one event may be more. */
  readonly batchCharacters: number;
  /** Milliseconds that an event may lie before it is sent, where nobody waits for it. */
  readonly delay: number;
  /** Milliseconds that events may wait for Postgres before they are kept on disk. */
  readonly keepAfter: number;
  /** Milliseconds that somebody waits at most for the commit of an event. */
  readonly patience: number;
  /** Milliseconds that closing may take. */
  readonly closing: number;
}

const USUAL: BacklogLimits = {
  events: 100_000,
  characters: 64 * 1024 * 1024,
  // Few: those that wait are what the collector of garbage copies, again and again.
  batch: 300,
  batchCharacters: 320 * 1024,
  delay: 250,
  keepAfter: 500,
  patience: 2_000,
  closing: 5_000,
};

/** Milliseconds between tries while Postgres is away: the first, doubled up to the last. */
const RETRY = { first: 100, last: 1_000 };

/** Batches held, by their events or their characters, before whoever adds more is slowed down. */
const HELD_BATCHES = 10;

/** The same for whoever has not begun: there is always one to send next, and little lies and is copied. */
const ROOMY_BATCHES = 2;

/** Milliseconds before the second try for somebody who waits. */
const SECOND_TRY = 25;

/** What a backlog is made of. */
export interface BacklogOptions {
  /** Whether whoever adds an event waits until it is committed. */
  readonly confirm: boolean;
  readonly send: SendRows;
  /** Where events are kept while Postgres is away, if they are; what it has is sent in any mode. */
  readonly spill?: Pick<Spill, 'waits' | 'hasRoom' | 'accept' | 'append' | 'replay'> | undefined;
  readonly log: AuditLog;
  readonly metrics: AuditMetrics | undefined;
  readonly limits: Partial<BacklogLimits>;
}

/**
 * What is sent together. It stays as it is until it is committed: the same rows are sent again, so
 * that Postgres knows those that it has.
 */
interface Batch extends Taken {
  /** What it becomes; worked out once, since events get their ids by it. */
  rows: Promise<readonly StoredRow[]> | undefined;
  sentBefore: boolean;
  /** It is on disk, too. */
  kept: boolean;
}

/**
 * Events on their way to Postgres: one batch at a time, in order, and never more than its bounds. To
 * add one costs next to nothing; a hundred of them become rows at once.
 *
 * With a spill, what Postgres does not take in time goes to disk, and what comes later goes behind it
 * until all of it was replayed.
 */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #limits: BacklogLimits;
  readonly #waiting: WaitingEvents;
  /** Taken from `#waiting` and not settled yet; the first is sent next. */
  #batches: Batch[] = [];
  #sending: Batch | undefined;
  /** Events in `#batches`. */
  #inBatches = 0;
  #characters = 0;
  #added = 0;
  #settled = 0;
  #sender: Promise<boolean> | undefined;
  #room: Promise<void> | undefined;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #keeper: Promise<void> | undefined;
  #keepTimer: NodeJS.Timeout | undefined;
  /** Postgres and the disk are both away: nothing more is taken. */
  #stuck = false;
  #retryAfter = RETRY.first;
  #healthy = true;
  #closed = false;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#limits = { ...USUAL, ...options.limits };
    this.#waiting = new WaitingEvents(this.#limits);
    options.metrics?.watchAuditPending(() => this.pending);
  }

  get pending(): number {
    return this.#waiting.count + this.#inBatches;
  }

  /**
   * Takes an event: at once where it is held without further ado, else the promise resolves when it
   * is held, or committed with `confirm`. Rejects with `Unavailable`.
   */
  add(recorded: RecordedEvent): Eventual<void> {
    if (this.#closed) {
      return Promise.reject(new Unavailable('the audit is closed: the server is stopping'));
    }
    if (this.#stuck) {
      return Promise.reject(
        new Unavailable('the audit can be written neither to Postgres nor to disk'),
      );
    }
    const { events, characters, batch, delay } = this.#limits;
    const { pending } = this;
    // What is full already need not be weighed.
    const weight = this.#characters < characters ? weightOf(recorded.event) : characters;
    if (pending > 0 && (pending >= events || this.#characters + weight > characters)) {
      return Promise.reject(new Unavailable('the audit cannot be written and its buffer is full'));
    }
    if (this.#options.confirm) return this.#addAndWait(recorded, weight);
    // What is taken must find its place on disk, whatever becomes of Postgres.
    if (this.#isBehind() && !this.#options.spill?.hasRoom(this.#characters + weight)) {
      return Promise.reject(new Unavailable('the audit cannot be written, and its disk is full'));
    }
    this.#waiting.add(recorded, weight);
    this.#count(weight);
    this.#schedule(this.#waiting.count === batch ? 0 : delay);
    if (this.#isBehind()) this.#keepSoon();
    if (this.#holdsMore(HELD_BATCHES)) return this.#waitForRoom();
  }

  /**
   * Undefined where many events may come; else resolves once those that are sent next are committed, so
   * that who adds much waits for no more than who adds little goes on adding; or after the time in which
   * they would find their place on disk. Never rejects.
   */
  room(): Promise<void> | undefined {
    if (this.#options.confirm || !this.#holdsMore(ROOMY_BATCHES)) return undefined;
    return withinTime(this.#sendBatch(), this.#limits.keepAfter, false).then(() => undefined);
  }

  /** Sends everything added so far; throws `Unavailable` at the first batch that fails. */
  async flush(): Promise<void> {
    const target = this.#added;
    while (this.#settled < target || this.#replaysNext()) {
      if (!(await this.#sendBatch())) throw new Unavailable('the audit cannot be written');
    }
  }

  /** Begins to send what the spill has found. */
  wake(): void {
    if (!this.#closed && this.#healthy) this.#schedule(0);
  }

  /** Takes nothing more and flushes, or keeps what it has, as long as closing may take. */
  async close(): Promise<void> {
    this.#closed = true;
    const { log, metrics } = this.#options;
    const over = new AbortController();
    await Promise.race([this.#sendUntil(over.signal), pause(this.#limits.closing, over.signal)]);
    over.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#keepTimer);
    const kept = this.#batches.filter((batch) => batch.kept);
    const lost = this.pending - kept.reduce((sum, { count }) => sum + count, 0);
    if (lost === 0) return;
    metrics?.auditFailures.inc();
    log.error({ lost }, 'the audit could not be written before the server stopped');
  }

  async #sendUntil(over: AbortSignal): Promise<void> {
    if (this.#isBehind()) await this.#keep();
    while (this.pending > 0 && !over.aborted) {
      if (!(await this.#sendBatch())) await pause(RETRY.first, over);
    }
    // Whoever closes the files next must find nobody reading them, nor writing.
    await Promise.all([this.#sender, this.#keeper]);
  }

  /** Whether events come faster than Postgres writes them: more than so many batches are held. */
  #holdsMore(batches: number): boolean {
    const { batch, batchCharacters } = this.#limits;
    const isMuch = this.pending > batch * batches || this.#characters > batchCharacters * batches;
    return this.#healthy && isMuch;
  }

  /**
   * Slows down who adds, rather than fill the buffer and then refuse: until few enough wait, for one
   * batch of theirs may be less than all who wait for it add next.
   */
  #waitForRoom(): Promise<void> {
    // One for all: those who wait may be thousands.
    this.#room ??= this.#makeRoom().finally(() => {
      this.#room = undefined;
    });
    return this.#room;
  }

  async #makeRoom(): Promise<void> {
    while (this.#holdsMore(HELD_BATCHES)) {
      if (!(await this.#sendBatch())) return;
    }
  }

  async #addAndWait(recorded: RecordedEvent, weight: number): Promise<void> {
    const outcome = later<Unavailable | undefined>();
    const entry = this.#waiting.addAwaited(recorded, weight, {
      committed: () => outcome.resolve(undefined),
      refused: (error) => outcome.resolve(error),
    });
    this.#count(weight);
    this.#schedule(0);
    const late = new Unavailable('the audit was not written in time');
    const refusal = await withinTime(outcome.promise, this.#limits.patience, late);
    if (refusal === undefined) return;
    entry.abandoned = refusal === late;
    throw refusal;
  }

  #count(weight: number): void {
    this.#added += 1;
    this.#characters += weight;
  }

  /** Starts sending after `delay` milliseconds, where nothing has started it before. */
  #schedule(delay: number): void {
    if (delay === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      void this.#sendAll();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#sendAll();
    }, delay);
  }

  /** Sends until nothing waits; comes back later where Postgres is away. */
  async #sendAll(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    let sent = true;
    while (sent && (this.pending > 0 || this.#replaysNext())) sent = await this.#sendBatch();
    this.#running = false;
    if (sent || this.#closed) return;
    this.#schedule(this.#retryAfter);
    this.#retryAfter = Math.min(this.#retryAfter * 2, RETRY.last);
  }

  /** Sends one batch, or waits for the one under way. False where it failed. */
  #sendBatch(): Promise<boolean> {
    this.#sender ??= this.#takeAndSend().finally(() => {
      this.#sender = undefined;
    });
    return this.#sender;
  }

  async #takeAndSend(): Promise<boolean> {
    // Let whatever arrives in this turn of the event loop come along.
    await Promise.resolve();
    if (this.#replaysNext()) return this.#replay();
    const batch = this.#batches[0] ?? this.#take();
    this.#sending = batch;
    this.#keepSoon();
    try {
      await this.#sendOrRetry(batch);
      for (const entry of batch.entries) entry.committed?.();
      this.#settle(batch);
      this.#recover();
      return true;
    } catch (error) {
      await this.#fail(error, batch);
      return false;
    } finally {
      this.#sending = undefined;
    }
  }

  /** What is on disk came before everything here; nobody who waits for a commit waits for it. */
  #replaysNext(): boolean {
    const { confirm, spill } = this.#options;
    return spill?.waits === true && !this.#closed && (!confirm || this.pending === 0);
  }

  async #replay(): Promise<boolean> {
    const { log, metrics, spill } = this.#options;
    try {
      // Nobody knows what of it was sent before: hardly ever any.
      await spill?.replay((rows) =>
        sendWhatCanBe(rows, { again: false, lasting: true }, this.#options),
      );
      this.#recover();
      return true;
    } catch (error) {
      this.#healthy = false;
      metrics?.auditFailures.inc();
      log.error({ err: error }, 'the audit events on disk could not be replayed');
      await this.#keep();
      return false;
    }
  }

  /** Whether what comes in cannot go to Postgres for now. */
  #isBehind(): boolean {
    const { confirm, spill } = this.#options;
    return spill !== undefined && !confirm && (!this.#healthy || spill.waits);
  }

  #recover(): void {
    this.#retryAfter = RETRY.first;
    this.#healthy = true;
    this.#stuck = false;
    this.#options.spill?.accept();
    if (this.#isBehind()) return;
    clearTimeout(this.#keepTimer);
    this.#keepTimer = undefined;
  }

  /** Keeps what Postgres has not taken by then. */
  #keepSoon(): void {
    if (this.#options.spill === undefined || this.#options.confirm) return;
    this.#keepTimer ??= setTimeout(() => {
      this.#keepTimer = undefined;
      // Nobody need wait for what takes so long.
      if (this.#sending !== undefined) this.#healthy = false;
      void this.#keep();
    }, this.#limits.keepAfter);
  }

  /** Puts everything on disk that is here, in its order. */
  #keep(): Promise<void> {
    this.#keeper ??= this.#keepAll().finally(() => {
      this.#keeper = undefined;
    });
    return this.#keeper;
  }

  async #keepAll(): Promise<void> {
    const { confirm, spill } = this.#options;
    if (spill === undefined || confirm) return;
    for (;;) {
      const batch = this.#batches.find(({ kept }) => !kept) ?? this.#take();
      if (batch.entries.length === 0) break;
      if (!(await spill.append(await encoded(batch)))) {
        this.#stuck = !this.#healthy;
        return;
      }
      batch.kept = true;
      // One that is under way may arrive yet.
      if (batch !== this.#sending) this.#settle(batch);
    }
    this.#stuck = false;
  }

  #take(): Batch {
    if (this.#options.confirm) this.#dropAbandoned();
    const made: Batch = {
      ...this.#waiting.take(),
      rows: undefined,
      sentBefore: false,
      kept: false,
    };
    if (made.count > 0) this.#batches.push(made);
    this.#inBatches += made.count;
    return made;
  }

  #dropAbandoned(): void {
    const { count, weight } = this.#waiting.takeAbandoned();
    this.#characters -= weight;
    this.#settled += count;
  }

  #settle(batch: Batch): void {
    const place = this.#batches.indexOf(batch);
    // Committed while it was being kept, or the other way round.
    if (place === -1) return;
    this.#batches.splice(place, 1);
    this.#inBatches -= batch.count;
    this.#settled += batch.count;
    this.#characters -= batch.weight;
  }

  async #fail(error: unknown, batch: Batch): Promise<void> {
    this.#healthy = false;
    const { confirm, log, metrics } = this.#options;
    const { entries, count } = batch;
    metrics?.auditFailures.inc();
    log.error({ err: error, events: count }, 'the audit could not be written');
    // Nobody waits: the batch stays as it is, here or on disk, to be sent again before all others.
    if (!confirm) {
      if (batch.kept) this.#settle(batch);
      this.#sending = undefined;
      await this.#keep();
      return;
    }
    const refusal = new Unavailable('the audit could not be written', { cause: error });
    for (const entry of entries) entry.refused?.(refusal);
    this.#settle(batch);
  }

  /** Somebody who waits gets a second try, once the pool has seen which connections are dead. */
  async #sendOrRetry(batch: Batch): Promise<void> {
    const rows = await encoded(batch);
    try {
      await this.#send(batch, rows);
    } catch (error) {
      if (!this.#options.confirm) throw error;
      await pause(SECOND_TRY);
      await this.#send(batch, rows);
    }
  }

  async #send(batch: Batch, rows: readonly StoredRow[]): Promise<void> {
    const again = batch.sentBefore;
    batch.sentBefore = true;
    await sendWhatCanBe(
      rows,
      { again },
      { ...this.#options, onApart: (apart) => void (batch.rows = Promise.resolve(apart)) },
    );
  }
}

function encoded(batch: Batch): Promise<readonly StoredRow[]> {
  batch.rows ??= rowsOf(batch.entries);
  return batch.rows;
}

/** Resolves after the time, or as soon as `over` is aborted. */
async function pause(milliseconds: number, over?: AbortSignal): Promise<void> {
  await setTimeoutPromise(milliseconds, undefined, over && { signal: over }).catch(() => {});
}
