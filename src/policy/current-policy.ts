import { type Clock, systemClock } from '../platform/clock.js';
import type { Database } from '../platform/database.js';
import { activePolicyReader } from './active-policy.js';
import { buildSnapshot } from './build-snapshot.js';
import { emptySnapshot, type Snapshot } from './snapshot.js';

/** Milliseconds between two looks at the database when nothing tells of a change. */
const POLL = 5_000;
/** Milliseconds to the first retry after a failure; doubled for each further one, up to `POLL`. */
const FIRST_RETRY = 250;

/** The policy that this process decides by. */
export interface CurrentPolicy {
  /** Swapped whole; a caller that reads it twice may see two revisions. */
  readonly snapshot: Snapshot;
  /** Milliseconds since the epoch when Postgres last confirmed that nothing newer exists. */
  readonly confirmedAt: number;
  /**
   * Reads what is new, and gives a snapshot at least as fresh as this call: calls made while a pull
   * runs share the next one. Rejects where it fails; the last good snapshot then stays.
   */
  catchUp(): Promise<Snapshot>;
  /** Waits until the snapshot is at least of `revision`; undefined after `timeout` milliseconds. */
  waitFor(revision: number, timeout: number): Promise<Snapshot | undefined>;
  /** Reads the policy for the first time, and from then on every few seconds. */
  start(): Promise<void>;
  /** Ends the reading; what runs is waited for. */
  stop(): Promise<void>;
}

/** The part of the log that the holder uses. */
export interface PolicyLog {
  info(members: object, message: string): void;
  error(members: object, message: string): void;
}

/** The metrics that the holder feeds. */
export interface PolicyMetrics {
  readonly revision: { set(value: number): void };
  readonly snapshotBuilds: { inc(): void };
  readonly snapshotFailures: { inc(): void };
  /** In seconds. */
  readonly snapshotBuildSeconds: { observe(value: number): void };
}

/** What the holder is made of. */
export interface CurrentPolicyOptions {
  readonly database: Database;
  readonly log: PolicyLog;
  readonly metrics?: PolicyMetrics;
  readonly clock?: Clock;
  /** Milliseconds between two looks at the database; 5,000 unless given. */
  readonly poll?: number;
  /** Told of each new snapshot once it is in force, the first one too; must not throw. */
  onSwap?(snapshot: Snapshot): void;
}

/** Makes the holder of the policy; it denies everything until it was started. */
export function createCurrentPolicy(options: CurrentPolicyOptions): CurrentPolicy {
  return new PolicyHolder(options);
}

interface Waiter {
  readonly revision: number;
  done(snapshot: Snapshot | undefined): void;
}

class PolicyHolder implements CurrentPolicy {
  snapshot: Snapshot = emptySnapshot;
  confirmedAt = 0;
  readonly #options: CurrentPolicyOptions;
  readonly #clock: Clock;
  readonly #readActivePolicy = activePolicyReader();
  readonly #waiters = new Set<Waiter>();
  #running: Promise<Snapshot> | undefined;
  #next: Promise<Snapshot> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #started = false;

  constructor(options: CurrentPolicyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  catchUp(): Promise<Snapshot> {
    if (this.#running === undefined) return this.#run();
    // What runs may have read before this call: its snapshot could lack what the caller has seen.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#running ?? this.#run();
      });
    return this.#next;
  }

  async waitFor(revision: number, timeout: number): Promise<Snapshot | undefined> {
    if (this.snapshot.revision >= revision) return this.snapshot;
    // A failure is logged and retried where it happens; here only the revision counts.
    this.catchUp().catch(() => undefined);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        revision,
        done: (snapshot) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(snapshot);
        },
      };
      const timer = setTimeout(() => waiter.done(undefined), timeout);
      this.#waiters.add(waiter);
    });
  }

  async start(): Promise<void> {
    this.#started = true;
    await this.catchUp();
  }

  async stop(): Promise<void> {
    this.#started = false;
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) waiter.done(undefined);
    await Promise.allSettled([this.#running, this.#next]);
  }

  #run(): Promise<Snapshot> {
    clearTimeout(this.#timer);
    const running = this.#pull().finally(() => {
      this.#running = undefined;
      this.#schedule();
    });
    this.#running = running;
    return running;
  }

  async #pull(): Promise<Snapshot> {
    const { database, log, metrics } = this.#options;
    const asked = this.#clock.now();
    const before = performance.now();
    try {
      const snapshot = await buildSnapshot(database, this.snapshot, {
        readActivePolicy: this.#readActivePolicy,
      });
      this.#failures = 0;
      this.confirmedAt = asked;
      if (snapshot !== this.snapshot) {
        const milliseconds = Math.round(performance.now() - before);
        this.#swap(snapshot);
        metrics?.snapshotBuilds.inc();
        metrics?.snapshotBuildSeconds.observe(milliseconds / 1_000);
        log.info({ ...named(snapshot), milliseconds }, 'the policy in force is new');
      }
      return snapshot;
    } catch (error) {
      this.#failures += 1;
      metrics?.snapshotFailures.inc();
      log.error(
        { err: error, revision: this.snapshot.revision },
        'the policy could not be read; the last one that could stays in force',
      );
      throw error;
    }
  }

  #swap(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.#options.metrics?.revision.set(snapshot.revision);
    for (const waiter of this.#waiters) {
      if (snapshot.revision >= waiter.revision) waiter.done(snapshot);
    }
    this.#options.onSwap?.(snapshot);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#started) return;
    const poll = this.#options.poll ?? POLL;
    const wait =
      this.#failures === 0 ? poll : Math.min(poll, FIRST_RETRY * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => {
      this.catchUp().catch(() => undefined);
    }, wait);
    this.#timer.unref();
  }
}

function named({ revision, bundle, engine }: Snapshot): object {
  return { revision, bundle: bundle?.number, rules: engine.size };
}
