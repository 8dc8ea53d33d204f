import { setTimeout as delay } from 'node:timers/promises';

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

/** What the promise resolves to; `late` where that takes longer than `time` milliseconds. */
export async function withinTime<Value, Late>(
  promise: Promise<Value>,
  time: number,
  late: Late,
): Promise<Value | Late> {
  const settled = new AbortController();
  const timer = delay(time, late, { signal: settled.signal }).catch(() => late);
  try {
    return await Promise.race([promise, timer]);
  } finally {
    settled.abort();
  }
}
