import type { ChangedRules } from '../platform/change-log.js';
import { changedRules, type ChangeHead } from '../platform/change-tail.js';
import type { Database } from '../platform/database.js';
import { takeTurns } from '../platform/turns.js';

/** Changes that are followed at a time; after as many, all rules are read again. */
export const MAX_CHANGES = 1_000;

/** Lines that are followed at a time, all changes together; more are read anew in about the same time. */
const MAX_LINES = 20_000;

/**
 * Of these changes, oldest first, those that can be taken one by one into a snapshot: changes of keys,
 * and of rules whose lines are kept, up to the first that cannot. None where they are too many.
 */
export function followable(changes: readonly ChangeHead[]): readonly ChangeHead[] {
  if (changes.length >= MAX_CHANGES) return [];
  const other = changes.findIndex(({ kind, lines }) => !isOfKeys(kind) && !isOfRules(kind, lines));
  const first = other === -1 ? changes : changes.slice(0, other);
  const lines = first.reduce((sum, change) => sum + (change.lines ?? 0), 0);
  return lines <= MAX_LINES ? first : [];
}

function isOfKeys(kind: string): boolean {
  return kind.startsWith('key.');
}

function isOfRules(kind: string, lines: number | undefined): boolean {
  return kind === 'rules.changed' && lines !== undefined;
}

/**
 * Hands changes to `take` in their order, one after the other, each with its lines where it is one of
 * rules, in short turns of the event loop. False where `take` refuses one, or its lines are no longer
 * kept: those after it are then left.
 */
export async function followChanges(
  database: Database,
  changes: readonly ChangeHead[],
  take: (change: ChangeHead, rules: ChangedRules | undefined) => Promise<boolean>,
): Promise<boolean> {
  const ofRules = changes.filter(({ lines }) => lines !== undefined);
  const [first, last] = [ofRules[0], ofRules.at(-1)];
  const rules = first && last && (await changedRules(database, first.revision - 1, last.revision));
  const turns = takeTurns();
  for (const change of changes) {
    const lines = rules?.get(change.revision);
    if (change.lines !== undefined && lines === undefined) return false;
    if (!(await take(change, lines))) return false;
    if (turns.isOver()) await turns.next();
  }
  return true;
}
