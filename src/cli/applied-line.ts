import type { AppliedAnswer } from './answers.js';
import { counted } from './counted.js';
import type { Screen } from './screen.js';

/** What applying or activating a bundle came to, in one line. */
export function appliedLine(
  { bundle, revision, changes }: AppliedAnswer,
  colours: Screen['colours'],
): string {
  const counts = changes
    ? `, ${counted(changes.added, 'rule')} added, ${changes.removed} removed`
    : '';
  return `${colours.green('active')}: bundle ${bundle}, revision ${revision}${counts}`;
}
