import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { AuditEvent } from './event.js';

/**
 * How decisions reach the audit. `strict`: no answer before its event is committed; `buffered`:
 * committed within a second; `off`: decisions are not stored.
 */
export type AuditMode = 'strict' | 'buffered' | 'off';

/** Where every event goes. Changes use `write`, inside their own transaction; decisions use `record`. */
export interface AuditRecorder {
  /**
   * Takes an event as the mode says. Throws `Unavailable` where it cannot be kept: the caller must
   * then not answer.
   */
  record(event: AuditEvent): Promise<void>;
  /** Writes events with the caller's transaction, whatever the mode: they commit with it or not at all. */
  write(transaction: DatabaseTransaction, ...events: readonly AuditEvent[]): Promise<void>;
  /** Resolves when everything recorded so far is committed; throws `Unavailable` where that fails. */
  flush(): Promise<void>;
  /** Flushes, within a bounded time, and takes no more events. */
  close(): Promise<void>;
  /** Events taken and not yet committed. */
  readonly pending: number;
}

/** The part of the log that the recorder uses. */
export interface RecorderLog {
  warn(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** The metrics that the recorder feeds. */
export interface RecorderMetrics {
  readonly auditPending: { set(value: number): void };
  readonly auditFailures: { inc(): void };
}

/** What a recorder is made of. */
export interface RecorderOptions {
  readonly database: Database;
  readonly mode: AuditMode;
  readonly log: RecorderLog;
  readonly metrics?: RecorderMetrics;
  readonly clock: { now(): number };
  /** The paths to mask in `detail.check`, those of the bundle in force; asked at every event. */
  readonly redactPaths?: () => readonly string[];
}
