import { Unavailable } from '../errors.js';

/** Changes that may wait in one process. */
const MAX_WAITING = 100;

/** Milliseconds that a change waits for its turn. */
const PATIENCE = 5_000;

/** How long a change may wait. */
export interface QueueOptions {
  /** Milliseconds; 5,000 unless given. */
  readonly patience?: number;
}

/** Runs work once all that was given before it is over. */
export type ChangeQueue = <Result>(
  work: () => Promise<Result>,
  options?: QueueOptions,
) => Promise<Result>;

/**
 * Lets one change of rules at a time at the database: those that wait for a large bundle then hold no
 * connections, which changes of keys need. Throws `Unavailable` where too many wait, or for too long:
 * then nothing of the work was begun.
 */
export function createChangeQueue(): ChangeQueue {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return <Result>(
    work: () => Promise<Result>,
    { patience = PATIENCE }: QueueOptions = {},
  ): Promise<Result> => {
    if (waiting >= MAX_WAITING) return Promise.reject(tooMany());
    waiting += 1;
    return new Promise<Result>((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(tooLate());
      }, patience);
      const turn = async (): Promise<void> => {
        clearTimeout(timer);
        if (!isLate) await work().then(resolve, reject);
      };
      last = last.then(turn).then(() => (waiting -= 1));
    });
  };
}

function tooMany(): Unavailable {
  return new Unavailable('too many changes of rules wait for one that takes long; try again');
}

function tooLate(): Unavailable {
  return new Unavailable(
    'another change of rules takes long; nothing was changed, try again when it is done',
  );
}
