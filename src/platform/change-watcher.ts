import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Watcher } from 'casbin';
import { readMessage, writeMessage } from './change-message.js';

/** Milliseconds before the next pull after one that found nothing: no message makes pulls a loop. */
const PAUSE = 50;
/** Milliseconds between tries of a pull that fails, at most; doubled from `PAUSE` on. */
const LONGEST_PAUSE = 5_000;

/** By which way processes hear of changes. */
export type Way = 'postgres' | 'redis';

/** What became of a message. */
export type MessageOutcome =
  /** It told of a change that this process does not have yet. */
  | 'new'
  /** This process has the change. */
  | 'known'
  /** This process had sent it. */
  | 'own'
  /** It is none of ours, and was ignored. */
  | 'malformed'
  /** It could not be sent; others hear of the change by another way. */
  | 'unsent';

/** What a watcher is made of. */
export interface ChangeWatcherOptions {
  /** The newest revision that this process has. */
  revision(): number;
  /** The newest revision that is committed; asked by `update` alone. */
  latestRevision(): Promise<number>;
  /** Sends a message to all processes; without it, Postgres alone tells them as a change commits. */
  publish?(message: string): Promise<unknown>;
  /** Told what became of each message; must not throw. */
  counted?(way: Way, outcome: MessageOutcome): void;
  /** What this process calls itself in its messages; a random name unless given. */
  readonly origin?: string;
}

/**
 * Tells other processes that there is a new revision, and has this one read what it is told of.
 * Messages are hints: the callback is to ask the database, and what it finds there counts. However
 * many arrive, the callback runs once at a time, and once more for all that came meanwhile. It is
 * Casbin's `Watcher` too, whose callback of an enforcer reads the whole policy again.
 *
 * @example enforcer.setWatcher(createChangeWatcher({ revision, latestRevision, publish }));
 */
export interface ChangeWatcher extends Watcher {
  /** `callback` reads what is new. Where it rejects it is called again, after a growing pause. */
  setUpdateCallback(callback: () => unknown): void;
  /** Tells others of the newest revision there is; false where they could not be told. */
  update(): Promise<boolean>;
  /** Tells others of a change that this process has committed; false where they could not be told. */
  announce(revision: number): Promise<boolean>;
  /** Takes a message that came by some way, from whomever. */
  heard(way: Way, text: string): void;
  /** Reads what is new: messages may have been missed. */
  opened(): void;
  /** Calls back no more; waits for the callback that runs. */
  close(): Promise<void>;
}

/** Makes a watcher. It hears what it is handed: `listenForChanges` and `listenOnRedis` do that. */
export function createChangeWatcher(options: ChangeWatcherOptions): ChangeWatcher {
  return new HintWatcher(options);
}

class HintWatcher implements ChangeWatcher {
  readonly #options: ChangeWatcherOptions;
  readonly #origin: string;
  readonly #closing = new AbortController();
  #callback: () => unknown = () => undefined;
  /** The highest revision heard of since the last pull began: what it may not have read. */
  #wanted = 0;
  #pulling: Promise<void> | undefined;

  constructor(options: ChangeWatcherOptions) {
    this.#options = options;
    this.#origin = options.origin ?? randomUUID();
  }

  setUpdateCallback(callback: () => unknown): void {
    this.#callback = callback;
  }

  async update(): Promise<boolean> {
    try {
      return await this.announce(await this.#options.latestRevision());
    } catch {
      return false;
    }
  }

  async announce(revision: number): Promise<boolean> {
    const { publish, counted } = this.#options;
    if (publish === undefined) return true;
    try {
      await publish(writeMessage({ revision, origin: this.#origin }));
      return true;
    } catch {
      counted?.('redis', 'unsent');
      return false;
    }
  }

  heard(way: Way, text: string): void {
    const message = readMessage(text);
    const outcome = message === undefined ? 'malformed' : this.#outcomeOf(message);
    this.#options.counted?.(way, outcome);
    if (message !== undefined && outcome === 'new') this.#want(message.revision);
  }

  opened(): void {
    this.#want(Number.POSITIVE_INFINITY);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pulling;
  }

  #outcomeOf({ revision, origin }: { revision: number; origin?: string }): MessageOutcome {
    if (origin === this.#origin) return 'own';
    return revision > this.#options.revision() ? 'new' : 'known';
  }

  #want(revision: number): void {
    if (this.#closing.signal.aborted) return;
    this.#wanted = Math.max(this.#wanted, revision);
    this.#pulling ??= this.#pull();
  }

  async #pull(): Promise<void> {
    const { revision } = this.#options;
    const { signal } = this.#closing;
    let pause = PAUSE;
    do {
      // Forgotten before it is read: a message may name a revision that never comes.
      this.#wanted = 0;
      const before = revision();
      if (await this.#callBack()) {
        pause = PAUSE;
      } else {
        this.#wanted = Number.POSITIVE_INFINITY;
        pause = Math.min(pause * 2, LONGEST_PAUSE);
      }
      if (revision() === before) {
        await delay(pause, undefined, { signal, ref: false }).catch(() => undefined);
      }
    } while (this.#wanted > revision() && !signal.aborted);
    // In the turn of the last look at what is wanted: nothing heard falls between the two.
    this.#pulling = undefined;
  }

  async #callBack(): Promise<boolean> {
    try {
      await this.#callback();
      return true;
    } catch {
      return false;
    }
  }
}
