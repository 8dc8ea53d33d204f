import { setImmediate } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

/** Milliseconds that long work may hold the event loop at a time. */
const TURN = 4;

/** Divides long work into turns of the event loop, so that checks are answered in between. */
export interface Turns {
  /** Whether the present turn has lasted long enough. */
  isOver(): boolean;
  /** Begins another turn, once everything that waits was let through. */
  next(): Promise<void>;
}

/**
 * Begins the first turn.
 *
 * @example
 * const turns = takeTurns();
 * for (const rule of rules) {
 *   index(rule);
 *   if (turns.isOver()) await turns.next();
 * }
 */
export function takeTurns(): Turns {
  let began = performance.now();
  return {
    isOver: () => performance.now() - began >= TURN,
    async next() {
      await setImmediate();
      began = performance.now();
    },
  };
}

/** A part of long work that cannot pause, and that another thread can do instead. */
export interface Errand {
  /** Does it in the present turn. */
  here(): void;
  /** Has it done; resolves once it is. */
  elsewhere(): Promise<void>;
}

/** Long work, which pauses wherever a turn may end, and where it waits for an errand. */
export type Work<Result> = Generator<Errand | undefined, Result>;

/** Work that is done before it has begun. */
// oxlint-disable-next-line require-yield
export function* done<Result>(result: Result): Work<Result> {
  return result;
}

/** Does all of the work in the present turn, for who has nothing else to do. */
export function atOnce<Result>(work: Work<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    step.value?.here();
  }
}

/** Does the work in turns of the event loop, so that checks are answered in between. */
export async function inTurns<Result>(work: Work<Result>): Promise<Result> {
  const turns = takeTurns();
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    // In a thread of its own nobody else waits.
    if (isMainThread) await step.value?.elsewhere();
    else step.value?.here();
    if (turns.isOver()) await turns.next();
  }
}
