import { Unavailable } from '../errors.js';

/** Changes that may wait in one process. */
const MAX_WAITING = 100;

/** Runs work once all that was given before it is over. */
export type ChangeQueue = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Lets one change of rules at a time at the database: those that wait for a large bundle then hold no
 * connections, which changes of keys need. Throws `Unavailable` where too many wait.
 */
export function createChangeQueue(): ChangeQueue {
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    if (waiting >= MAX_WAITING) {
      throw new Unavailable('too many changes of rules wait for one that takes long; try again');
    }
    waiting += 1;
    const result = last.then(work);
    last = result.catch(() => undefined).then(() => (waiting -= 1));
    return result;
  };
}
