import { readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';

/** Has the thread of the checks come before this one, where there are too few processors for both. */
export function stepBack(): void {
  try {
    // On Linux a thread has a priority of its own, and is named by a link that only it can see.
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Elsewhere they share alike.
  }
}
