import type { MatcherPart } from '../engine/engine.js';
import { followKeys, LiveKeys, loadKeys } from '../identity/key-ring.js';
import { type ChangeHead, headsAfter, LOG_START, type LogPlace } from '../platform/change-tail.js';
import { type Clock, systemClock } from '../platform/clock.js';
import type { Database } from '../platform/database.js';
import { later, withinTime } from '../platform/later.js';
import { inTurns } from '../platform/turns.js';
import { activePolicyReader } from './active-policy.js';
import { type BuiltPolicy, buildPolicy, type SnapshotSources } from './build-snapshot.js';
import { followable, followChanges, MAX_CHANGES } from './follow-changes.js';
import { emptySnapshot, type Snapshot } from './snapshot.js';

/** Milliseconds between two looks at the database when nothing tells of a change, unless told otherwise. */
const POLL = 5_000;
/** Milliseconds to the first retry after a failure; doubled for each further one, up to the last. */
const FIRST_RETRY = 250;
const LAST_RETRY = 5_000;
/** Milliseconds for which a snapshot that was not confirmed is good, unless told otherwise. */
const MAX_STALENESS = 5 * 60_000;

/** How an engine may find the rules of a part of the matcher. */
const HANDLINGS = ['indexed', 'residual', 'fallback'] as const;

/** The policy that this process decides by. */
export interface CurrentPolicy {
  /**
   * Swapped whole; a caller that reads it twice may see two revisions. Its engine is asked in the
   * turn in which it was read here.
   */
  readonly snapshot: Snapshot;
  /** Milliseconds since the epoch when Postgres last confirmed that nothing newer exists. */
  readonly confirmedAt: number;
  /** Whether Postgres has confirmed the snapshot recently enough to decide by it. */
  isFresh(): boolean;
  /**
   * Reads what is new, and gives a snapshot at least as fresh as this call: calls made during a look
   * at the database share the next one. Rejects where it fails; the last good snapshot then stays.
   */
  catchUp(): Promise<Snapshot>;
  /** `catchUp` for keys alone: it does not wait for rules that take long to read. */
  catchUpKeys(): Promise<void>;
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
  /** Changes of rules taken into the engine in place. */
  readonly snapshotIncrements: { inc(): void };
  /** Rules that the engine holds. */
  readonly engineRules: { set(value: number): void };
  /** Parts of the matcher, by how the engine finds their rules. */
  readonly engineMatcherParts: {
    set(labels: { handling: MatcherPart['handling'] }, value: number): void;
  };
}

/** What the holder is made of. */
export interface CurrentPolicyOptions {
  readonly database: Database;
  readonly log: PolicyLog;
  readonly metrics?: PolicyMetrics;
  readonly clock?: Clock;
  /** Milliseconds between two looks at the database; 5,000 unless given. */
  readonly poll?: number;
  /** Milliseconds for which a snapshot that Postgres does not confirm is good; 5 minutes unless given. */
  readonly maxStaleness?: number;
  /** Begins the engine of a model; the fastest for it unless given. */
  readonly buildEngine?: SnapshotSources['buildEngine'];
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

/** What a look at the database came to. */
interface Look {
  /** The newest revision that it knew of. */
  readonly seen: number;
  /** Where rules must be read anew: the look that takes them up, once they are there. */
  readonly building: Promise<Look> | undefined;
}

/**
 * Looks at the change log, one look at a time. What it finds is followed change by change, or the
 * policy is built anew off to the side, which may take seconds; meanwhile further looks keep the keys
 * current, and the next one after the building takes it up.
 */
class PolicyHolder implements CurrentPolicy {
  #keys = new LiveKeys();
  snapshot: Snapshot = { ...emptySnapshot, keys: this.#keys };
  confirmedAt = 0;
  readonly #options: CurrentPolicyOptions;
  readonly #clock: Clock;
  readonly #maxStaleness: number;
  readonly #readActivePolicy = activePolicyReader();
  readonly #waiters = new Set<Waiter>();
  readonly #stopping = new AbortController();
  #place: LogPlace = LOG_START;
  #looking: Promise<Look> | undefined;
  #nextLook: Promise<Look> | undefined;
  #building: Promise<Look> | undefined;
  /** Built, and to be taken up by the next look. */
  #built: BuiltPolicy | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #started = false;

  constructor(options: CurrentPolicyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#maxStaleness = options.maxStaleness ?? MAX_STALENESS;
  }

  isFresh(): boolean {
    return this.#clock.now() - this.confirmedAt <= this.#maxStaleness;
  }

  async catchUp(): Promise<Snapshot> {
    let look = await this.#lookAfresh();
    const { seen } = look;
    while (look.building !== undefined) {
      look = await look.building;
      if (this.snapshot.revision >= seen) break;
    }
    return this.snapshot;
  }

  async catchUpKeys(): Promise<void> {
    await this.#lookAfresh();
  }

  async waitFor(revision: number, timeout: number): Promise<Snapshot | undefined> {
    if (this.snapshot.revision >= revision) return this.snapshot;
    // A failure is logged and retried where it happens; here only the revision counts.
    this.catchUp().catch(() => undefined);
    const here = later<Snapshot | undefined>();
    const waiter: Waiter = { revision, done: here.resolve };
    this.#waiters.add(waiter);
    try {
      return await withinTime(here.promise, timeout, undefined);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  async start(): Promise<void> {
    this.#started = true;
    await this.catchUp();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#stopping.abort(new Error('the server stops'));
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) waiter.done(undefined);
    await Promise.allSettled([this.#building, this.#looking, this.#nextLook]);
  }

  /** A look that begins after this call: what runs may have read before it. */
  #lookAfresh(): Promise<Look> {
    if (this.#looking === undefined) return this.#startLook();
    this.#nextLook ??= this.#looking
      .catch(() => undefined)
      .then(() => {
        this.#nextLook = undefined;
        return this.#looking ?? this.#startLook();
      });
    return this.#nextLook;
  }

  #startLook(): Promise<Look> {
    clearTimeout(this.#timer);
    const looking = this.#look()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#looking = undefined;
        this.#schedule();
      });
    this.#looking = looking;
    return looking;
  }

  async #look(): Promise<Look> {
    const { database, log } = this.#options;
    const asked = this.#clock.now();
    const { snapshot: before } = this;
    const built = this.#built;
    const changes = await headsAfter(database, built?.place ?? this.#place, MAX_CHANGES);
    const seen = changes?.at(-1)?.revision ?? built?.place.revision ?? this.#place.revision;
    const keys = await this.#keysAfter(changes, built);
    this.#keys = keys;
    if (this.#built === built) this.#built = undefined;
    if (built !== undefined && changes !== undefined) {
      this.#swap({ ...built.policy, keys }, built.place);
    } else if (keys !== before.keys) {
      this.#swap({ ...before, keys }, this.#place);
    }
    const isFollowed = await this.#follow(changes);
    if (this.snapshot.revision !== before.revision) {
      log.info(named(this.snapshot), 'the policy in force is new');
    }
    if (!isFollowed) return { seen, building: this.#build() };
    this.#failures = 0;
    this.confirmedAt = asked;
    return { seen, building: undefined };
  }

  /** The keys as they are now; asked for where what was read of the log does not say that none changed. */
  async #keysAfter(
    changes: readonly ChangeHead[] | undefined,
    built: BuiltPolicy | undefined,
  ): Promise<LiveKeys> {
    const { database } = this.#options;
    const { signal } = this.#stopping;
    const keys = this.#keys;
    if (changes === undefined) return loadKeys(database, signal);
    const isCurrent =
      built === undefined &&
      // While a policy is built the keys run ahead of what is in force, and of what was read.
      keys.place.revision <= this.#place.revision &&
      changes.length < MAX_CHANGES &&
      changes.every(({ kind }) => !kind.startsWith('key.'));
    if (!isCurrent) return followKeys(database, keys, signal);
    keys.reach(changes.at(-1) ?? this.#place);
    return keys;
  }

  /**
   * Takes changes into the snapshot one by one; false where the policy must be built anew. What came
   * before a bundle is in force before that is built: a rule that is gone does not wait for it.
   */
  async #follow(changes: readonly ChangeHead[] | undefined): Promise<boolean> {
    // What is being built has them all.
    if (this.#building !== undefined || changes === undefined) return false;
    const first = followable(changes);
    // Of a log that is read for the first time, the part before the first bundle says nothing.
    if (this.#place === LOG_START && first.length < changes.length) return false;
    const { database, metrics } = this.#options;
    const isFollowed = await followChanges(database, first, async (change, rules) => {
      const ready = rules && (await inTurns(this.snapshot.engine.preparing(rules)));
      if (rules !== undefined && ready === undefined) return false;
      // In one turn: whoever reads the revision has its rules.
      ready?.commit();
      this.#swap({ ...this.snapshot, revision: change.revision }, change);
      if (ready === undefined) return true;
      metrics?.snapshotIncrements.inc();
      await inTurns(ready.tidying());
      return true;
    });
    return isFollowed && first.length === changes.length;
  }

  /** Builds the policy anew, unless that is under way: the look that takes it up sees to the rest. */
  #build(): Promise<Look> {
    if (this.#building !== undefined) return this.#building;
    if (this.#built !== undefined) return this.#lookAfresh();
    const { database, buildEngine, metrics } = this.#options;
    const before = performance.now();
    const building = buildPolicy(database, {
      readActivePolicy: this.#readActivePolicy,
      signal: this.#stopping.signal,
      ...(buildEngine === undefined ? {} : { buildEngine }),
    })
      .then(
        (built) => {
          this.#built = built;
          metrics?.snapshotBuilds.inc();
          metrics?.snapshotBuildSeconds.observe((performance.now() - before) / 1_000);
        },
        (error: unknown) => {
          this.#failed(error);
        },
      )
      .finally(() => {
        this.#building = undefined;
      })
      .then(() => this.#lookAfresh());
    // Whoever waits for it is told; where nobody does, it was logged.
    building.catch(() => this.#schedule());
    this.#building = building;
    return building;
  }

  #failed(error: unknown): never {
    const { log, metrics } = this.#options;
    this.#failures += 1;
    metrics?.snapshotFailures.inc();
    log.error(
      { err: error, revision: this.snapshot.revision },
      'the policy could not be read; the last one that could stays in force',
    );
    throw error;
  }

  #swap(snapshot: Snapshot, place: LogPlace): void {
    this.snapshot = snapshot;
    this.#place = place;
    this.#measure(snapshot);
    for (const waiter of this.#waiters) {
      if (snapshot.revision >= waiter.revision) waiter.done(snapshot);
    }
    this.#options.onSwap?.(snapshot);
  }

  #measure({ revision, engine }: Snapshot): void {
    const { metrics } = this.#options;
    metrics?.revision.set(revision);
    metrics?.engineRules.set(engine.size);
    for (const handling of HANDLINGS) {
      const parts = engine.parts.filter((part) => part.handling === handling);
      metrics?.engineMatcherParts.set({ handling }, parts.length);
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#started) return;
    const poll = this.#options.poll ?? POLL;
    const wait =
      this.#failures === 0
        ? poll
        : Math.min(poll, LAST_RETRY, FIRST_RETRY * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => {
      this.catchUp().catch(() => undefined);
    }, wait);
    this.#timer.unref();
  }
}

function named({ revision, bundle, engine }: Snapshot): object {
  return { revision, bundle: bundle?.number, rules: engine.size };
}
