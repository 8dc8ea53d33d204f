import type { Logger } from './platform/log.js';

/** Something to close; run in the reverse order of opening. */
export type Closer = () => Promise<unknown>;

/** Runs `build`, and where it fails closes again what it has opened. */
export async function closingOnFailure<Built>(
  log: Logger,
  build: (closers: Closer[]) => Promise<Built>,
): Promise<Built> {
  const closers: Closer[] = [];
  try {
    return await build(closers);
  } catch (error) {
    await closeAll(closers).catch((failure: unknown) =>
      log.warn({ err: failure }, 'not everything could be closed'),
    );
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
