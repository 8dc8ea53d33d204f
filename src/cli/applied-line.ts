import type { AppliedAnswer } from './answers.js';
import { counted } from './counted.js';
import type { Screen } from './screen.js';

/** What applying or activating a bundle came to, in one line. */
export function appliedLine(
  { bundle, revision, changes }: AppliedAnswer,
  colours: Screen['colours'],
): string {
  const { added, removed } = changes ?? { added: 0, removed: 0 };
  const counts =
    added + removed === 0 ? '' : `, ${counted(added, 'rule')} added, ${removed} removed`;
  return `${colours.green('active')}: bundle ${bundle}, revision ${revision}${counts}`;
}
