import { isIPv6 } from 'node:net';
import { TooManyRequests } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import { bearerOf, credentialHash } from './authenticate.js';

/** How many failures are let pass. */
export interface FailureLimits {
  /** Failures in the window that are answered as such; the next is answered with 429. */
  readonly failures: number;
  /** Milliseconds. */
  readonly window: number;
  /** Addresses, and identities, remembered at most; the one that failed longest ago is forgotten. */
  readonly remembered: number;
}

const USUAL: FailureLimits = { failures: 10, window: 5 * 60_000, remembered: 10_000 };

/**
 * Counts credentials that were refused, by the address they came from and by the identity they
 * claimed, so that guessing is slow from one address and from many. Only failures are counted and
 * only failures are refused: a good credential is never asked about here.
 */
export class FailedCredentials {
  readonly #clock: Clock;
  readonly #limits: FailureLimits;
  readonly #addresses = new Map<string, number[]>();
  readonly #identities = new Map<string, number[]>();

  constructor(clock: Clock, limits: Partial<FailureLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...USUAL, ...limits };
  }

  /**
   * Notes a failure. Throws `TooManyRequests` with `Retry-After` where address or identity have used
   * up theirs; such a call is not counted again. A request without a credential is no failure.
   */
  note(address: string | undefined, authorization: string | undefined): void {
    if (authorization === undefined) return;
    const now = this.#clock.now();
    const failures = [
      this.#failuresOf(this.#addresses, networkOf(address ?? ''), now),
      this.#failuresOf(this.#identities, identityOf(authorization), now),
    ];
    const freeAt = Math.max(...failures.map((times) => this.#freeAt(times)));
    if (freeAt > now) {
      throw new TooManyRequests('too many credentials were refused; wait before trying another', {
        retryAfter: Math.ceil((freeAt - now) / 1_000),
      });
    }
    for (const times of failures) times.push(now);
  }

  /** Addresses and identities remembered at the moment. */
  get size(): number {
    return this.#addresses.size + this.#identities.size;
  }

  /** The failures of `name` that still count, newest last; `name` becomes the latest to be forgotten. */
  #failuresOf(all: Map<string, number[]>, name: string, now: number): number[] {
    const { window, remembered } = this.#limits;
    const times = (all.get(name) ?? []).filter((time) => time > now - window);
    all.delete(name);
    all.set(name, times);
    for (const oldest of all.keys()) {
      if (all.size <= remembered) break;
      all.delete(oldest);
    }
    return times;
  }

  /** When one more failure is let pass; in the past where it is already. */
  #freeAt(times: readonly number[]): number {
    const { failures, window } = this.#limits;
    const oldest = times.at(-failures);
    return oldest === undefined ? Number.NEGATIVE_INFINITY : oldest + window;
  }
}

/** What a credential claims to be: the hash of it, whatever its form. */
function identityOf(authorization: string): string {
  return credentialHash(bearerOf(authorization) ?? authorization);
}

/** The address, or of IPv6 its /64: whoever has one such address has all of them. */
function networkOf(address: string): string {
  const plain = address
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: gap }, () => '0'), ...back];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
