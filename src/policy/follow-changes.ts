import type { ChangedRules } from '../platform/change-log.js';
import { changedRules, type ChangeHead } from '../platform/change-tail.js';
import type { Database } from '../platform/database.js';
import { takeTurns } from '../platform/turns.js';

/** Changes that are followed at a time; after as many, all rules are read again. */
export const MAX_CHANGES = 1_000;

/** Lines that are followed at a time, all changes together: about as many as one turn can take. */
const MAX_LINES = 20_000;

/**
 * Whether all of these changes, oldest first, can be taken one by one into a snapshot: changes of
 * keys, and of rules whose lines are kept, and not too many of them.
 */
export function isFollowable(changes: readonly ChangeHead[]): boolean {
  if (changes.length >= MAX_CHANGES) return false;
  let lines = 0;
  for (const change of changes) {
    if (change.kind.startsWith('key.')) continue;
    if (change.kind !== 'rules.changed' || change.lines === undefined) return false;
    lines += change.lines;
  }
  return lines <= MAX_LINES;
}

/**
 * Hands changes to `take` in their order, each with its lines where it is one of rules, in short turns
 * of the event loop. False where `take` refuses one, or its lines are no longer kept: those after it
 * are then left.
 */
export async function followChanges(
  database: Database,
  changes: readonly ChangeHead[],
  take: (change: ChangeHead, rules: ChangedRules | undefined) => boolean,
): Promise<boolean> {
  const ofRules = changes.filter(({ lines }) => lines !== undefined);
  const [first, last] = [ofRules[0], ofRules.at(-1)];
  const rules = first && last && (await changedRules(database, first.revision - 1, last.revision));
  const turns = takeTurns();
  for (const change of changes) {
    const lines = rules?.get(change.revision);
    if (change.lines !== undefined && lines === undefined) return false;
    if (!take(change, lines)) return false;
    if (turns.isOver()) await turns.next();
  }
  return true;
}
