import { unlessAborted, withinTime } from './platform/later.js';
import type { Logger } from './platform/log.js';

/** Something to close; run in the reverse order of opening. */
export type Closer = () => Promise<unknown>;

/** Milliseconds in which a build that was given up should notice that. */
const NOTICE = 3_000;

/**
 * Runs `build`, and closes again what it has opened where it fails, or where `signal` is aborted: then
 * at once, whatever it waits for, and once more what it opened before it noticed. Rejects with why.
 */
export async function closingOnFailure<Built>(
  log: Logger,
  build: (closers: Closer[]) => Promise<Built>,
  signal?: AbortSignal,
): Promise<Built> {
  const closers: Closer[] = [];
  const close = () =>
    closeAll(closers).catch((failure: unknown) =>
      log.warn({ err: failure }, 'not everything could be closed'),
    );
  const building = build(closers);
  try {
    return await unlessAborted(building, signal);
  } catch (error) {
    await close();
    if (signal?.aborted) {
      const over = building.then(close, close);
      await withinTime(over, NOTICE, undefined);
    }
    throw error;
  }
}

/** Closes everything, the last opened first; a closer that fails keeps no other from its turn. */
export async function closeAll(closers: Closer[]): Promise<void> {
  const failures: unknown[] = [];
  for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
}
