import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { Unavailable } from '../errors.js';
import { bareRow } from './event-row.js';

/** The part of the log that the audit uses. */
export interface AuditLog {
  warn(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** The metrics that the audit feeds. */
export interface AuditMetrics {
  readonly auditPending: { set(value: number): void };
  readonly auditFailures: { inc(): void };
}

/** The bounds of a backlog. */
export interface BacklogLimits {
  /** Events held at most. */
  readonly events: number;
  /** Characters held at most, over all events. */
  readonly characters: number;
  /** Events sent in one statement at most. */
  readonly batch: number;
  /** Milliseconds that an event may lie before it is sent, where nobody waits for it. */
  readonly delay: number;
  /** Milliseconds that somebody waits at most for the commit of an event. */
  readonly patience: number;
  /** Milliseconds that closing may take. */
  readonly closing: number;
}

const USUAL: BacklogLimits = {
  events: 100_000,
  characters: 64 * 1024 * 1024,
  batch: 1_000,
  delay: 250,
  patience: 2_000,
  closing: 5_000,
};

/** Milliseconds between tries while Postgres is away: the first, doubled up to the last. */
const RETRY = { first: 100, last: 1_000 };

/** Batches held before whoever adds more is slowed down. */
const HELD_BATCHES = 10;

/** Milliseconds before the second try for somebody who waits. */
const SECOND_TRY = 25;

/** What a backlog is made of. */
export interface BacklogOptions {
  /** Whether whoever adds a row waits until it is committed. */
  readonly confirm: boolean;
  /** Commits the rows, in their order, all or none. */
  readonly send: (rows: readonly string[]) => Promise<void>;
  readonly log: AuditLog;
  readonly metrics: AuditMetrics | undefined;
  readonly limits: Partial<BacklogLimits>;
}

interface Entry {
  readonly row: string;
  readonly committed?: () => void;
  readonly refused?: (error: Unavailable) => void;
  /** Nobody waits any more: the caller was told that the event was not kept. */
  abandoned: boolean;
}

/** Rows on their way to Postgres: one batch at a time, in order, and never more than its bounds. */
export class Backlog {
  readonly #options: BacklogOptions;
  readonly #limits: BacklogLimits;
  #waiting: Entry[] = [];
  #sending: Entry[] = [];
  #characters = 0;
  #added = 0;
  #settled = 0;
  #sender: Promise<boolean> | undefined;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #retryAfter = RETRY.first;
  #healthy = true;
  #closed = false;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#limits = { ...USUAL, ...options.limits };
  }

  get pending(): number {
    return this.#waiting.length + this.#sending.length;
  }

  /**
   * Takes a row; resolves when it is held, or committed with `confirm`. Throws `Unavailable`.
   */
  async add(row: string): Promise<void> {
    if (this.#closed) throw new Unavailable('the audit is closed: the server is stopping');
    const { events, characters, batch, delay } = this.#limits;
    const full = this.pending >= events || this.#characters + row.length > characters;
    if (full && this.pending > 0) {
      throw new Unavailable('the audit cannot be written and its buffer is full');
    }
    if (this.#options.confirm) return this.#addAndWait(row);
    this.#push({ row, abandoned: false });
    this.#schedule(this.#waiting.length === batch ? 0 : delay);
    // Faster than Postgres writes: wait for one batch rather than fill the buffer and then refuse.
    if (this.pending > batch * HELD_BATCHES && this.#healthy) await this.#sendBatch();
  }

  /** Sends everything added so far; throws `Unavailable` at the first batch that fails. */
  async flush(): Promise<void> {
    const target = this.#added;
    while (this.#settled < target) {
      if (!(await this.#sendBatch())) throw new Unavailable('the audit cannot be written');
    }
  }

  /** Takes nothing more and flushes, as long as closing may take. */
  async close(): Promise<void> {
    this.#closed = true;
    const { log, metrics } = this.#options;
    const over = new AbortController();
    await Promise.race([this.#sendUntil(over.signal), pause(this.#limits.closing, over.signal)]);
    over.abort();
    clearTimeout(this.#timer);
    if (this.pending === 0) return;
    metrics?.auditFailures.inc();
    log.error({ lost: this.pending }, 'the audit could not be written before the server stopped');
  }

  async #sendUntil(over: AbortSignal): Promise<void> {
    while (this.pending > 0 && !over.aborted) {
      if (!(await this.#sendBatch())) await pause(RETRY.first, over);
    }
  }

  async #addAndWait(row: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(() => {
        entry.abandoned = true;
        reject(new Unavailable('the audit was not written in time'));
      }, this.#limits.patience);
      const entry: Entry = {
        row,
        abandoned: false,
        committed: () => {
          clearTimeout(deadline);
          resolve();
        },
        refused: (error) => {
          clearTimeout(deadline);
          reject(error);
        },
      };
      this.#push(entry);
      this.#schedule(0);
    });
  }

  #push(entry: Entry): void {
    this.#waiting.push(entry);
    this.#added += 1;
    this.#characters += entry.row.length;
    this.#report();
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
    while (sent && this.#waiting.length > 0) sent = await this.#sendBatch();
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
    this.#sending = this.#take();
    try {
      await this.#sendOrRetry(this.#sending.map((entry) => entry.row));
      for (const entry of this.#sending) entry.committed?.();
      this.#settle(this.#sending.length);
      this.#retryAfter = RETRY.first;
      this.#healthy = true;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #take(): Entry[] {
    if (this.#options.confirm) this.#dropAbandoned();
    return this.#waiting.splice(0, this.#limits.batch);
  }

  #dropAbandoned(): void {
    const abandoned = this.#waiting.filter((entry) => entry.abandoned);
    this.#waiting = this.#waiting.filter((entry) => !entry.abandoned);
    this.#characters -= charactersOf(abandoned);
    this.#settled += abandoned.length;
  }

  #settle(count: number): void {
    this.#settled += count;
    this.#characters -= charactersOf(this.#sending);
    this.#sending = [];
    this.#report();
  }

  #fail(error: unknown): void {
    this.#healthy = false;
    const { confirm, log, metrics } = this.#options;
    metrics?.auditFailures.inc();
    log.error({ err: error, events: this.#sending.length }, 'the audit could not be written');
    if (!confirm) {
      this.#waiting.unshift(...this.#sending);
      this.#sending = [];
      return;
    }
    const refusal = new Unavailable('the audit could not be written', { cause: error });
    for (const entry of this.#sending) entry.refused?.(refusal);
    this.#settle(this.#sending.length);
  }

  /** Somebody who waits gets a second try, once the pool has seen which connections are dead. */
  async #sendOrRetry(rows: readonly string[]): Promise<void> {
    try {
      await this.#send(rows);
    } catch (error) {
      if (!this.#options.confirm) throw error;
      await pause(SECOND_TRY);
      await this.#send(rows);
    }
  }

  /** Sends rows; one that Postgres refuses for what it holds is told in a bare row of its own. */
  async #send(rows: readonly string[]): Promise<void> {
    const { send, log } = this.#options;
    try {
      await send(rows);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      log.error({ err: error }, 'an audit event holds what Postgres refuses');
      const [row] = rows;
      if (row !== undefined && rows.length === 1) return send([bareRow(row, String(error))]);
      for (const single of rows) await this.#send([single]);
    }
  }

  #report(): void {
    this.#options.metrics?.auditPending.set(this.pending);
  }
}

/** Whether Postgres refused the data itself (SQLSTATE classes 22, 23 and 54): sending it again is vain. */
function isRefusal(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return typeof code === 'string' && /^(?:22|23|54)[0-9A-Z]{3}$/.test(code);
}

function charactersOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.row.length, 0);
}

/** Resolves after the time, or as soon as `over` is aborted. */
async function pause(milliseconds: number, over?: AbortSignal): Promise<void> {
  await setTimeoutPromise(milliseconds, undefined, over && { signal: over }).catch(() => {});
}
