/** Where the time comes from. Tests hand in a fixed one; nothing calls `Date.now()` by itself. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => Date.now() };
