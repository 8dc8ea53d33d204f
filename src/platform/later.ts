/** A promise that its owner resolves. */
export interface Later<Value> {
  readonly promise: Promise<Value>;
  readonly isSettled: boolean;
  /** Only the first call counts. */
  resolve(value: Value): void;
}

/** Makes a promise to resolve later. */
export function later<Value>(): Later<Value> {
  let settle: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((resolve) => {
    settle = resolve;
  });
  let isSettled = false;
  return {
    promise,
    get isSettled() {
      return isSettled;
    },
    resolve(value) {
      isSettled = true;
      settle(value);
    },
  };
}

/** Turns of the event loop that a wait takes at least, where it is not answered. */
const TURNS = 4;

/**
 * So many milliseconds to wait, for one thing or several in a row. They pass only as fast as this process
 * finds time to read: in parts, one in a turn of the event loop, after each of which it takes in what has
 * arrived. So a process that was busy calls nobody silent whom it has not listened to.
 *
 * @example
 * const patience = new Patience(250);
 * const connection = await patience.waitFor(connecting, undefined);
 */
export class Patience {
  readonly #time: number;
  #left: number;

  /** @param time milliseconds */
  constructor(time: number) {
    this.#time = time;
    this.#left = time;
  }

  /** Milliseconds that were waited. */
  get spent(): number {
    return this.#time - this.#left;
  }

  /** Milliseconds that are left. */
  get left(): number {
    return this.#left;
  }

  /** What the promise resolves to; `late` where that takes longer than what is left. */
  async waitFor<Value, Late>(promise: Promise<Value>, late: Late): Promise<Value | Late> {
    let part = 0;
    let since = 0;
    let timer: NodeJS.Timeout | undefined;
    let reading: NodeJS.Immediate | undefined;
    const passed = new Promise<Late>((resolve) => {
      const goOn = (): void => {
        if (this.#left <= 0) return resolve(late);
        part = Math.min(Math.ceil(this.#time / TURNS), this.#left);
        since = performance.now();
        timer = setTimeout(() => {
          this.#left -= part;
          part = 0;
          // Timers come before what the network brings in a turn of the event loop, and this after it.
          reading = setImmediate(goOn);
        }, part);
      };
      goOn();
    });
    try {
      return await Promise.race([promise, passed]);
    } finally {
      clearTimeout(timer);
      clearImmediate(reading);
      this.#left -= Math.min(part, performance.now() - since);
    }
  }
}

/**
 * What the promise resolves to; `late` where that takes longer than `time` milliseconds, as `Patience`
 * counts them.
 */
export async function withinTime<Value, Late>(
  promise: Promise<Value>,
  time: number,
  late: Late,
): Promise<Value | Late> {
  return new Patience(time).waitFor(promise, late);
}

/** What the promise resolves to; rejects with the reason of `signal` as soon as that is aborted. */
export async function unlessAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal | undefined,
): Promise<Value> {
  if (signal === undefined) return promise;
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
