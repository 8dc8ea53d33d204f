import { commentFault } from '../../governance/require-comment.js';
import { type Evaluation, note, type Verdict } from '../evaluation.js';
import { describe } from '../describe.js';

/** Every require-comment rule that applies must be met by `context.comment`. */
export function requireComment(evaluation: Evaluation): Verdict | undefined {
  const { applied, question, trace } = evaluation;
  const entries = applied['require-comment'];
  if (entries.length === 0) return undefined;

  const { comment } = question.check.context;
  const faults: string[] = [];
  for (const entry of entries) {
    const fault = commentFault(entry.rule.comment, comment);
    note(evaluation, entry, fault === undefined ? 'passed' : 'denied', fault);
    if (fault !== undefined) faults.push(fault);
  }
  trace.push({ step: 'require-comment', outcome: faults.length > 0 ? 'denied' : 'passed' });
  if (faults.length === 0) return undefined;
  return {
    decision: 'deny',
    reason: 'comment_required',
    message: `${describe(question.check)} needs a comment: ${faults.join('; ')}`,
  };
}
