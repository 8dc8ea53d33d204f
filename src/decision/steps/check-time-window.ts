import { isOpen, nextOpening } from '../../governance/time-window.js';
import { type Evaluation, note, type Verdict } from '../evaluation.js';
import { describe } from '../describe.js';

/** Every time-window rule that applies must have an open window. */
export function checkTimeWindow(evaluation: Evaluation): Verdict | undefined {
  const { applied, now, question, trace } = evaluation;
  const entries = applied['time-window'];
  if (entries.length === 0) return undefined;

  const closed = entries.filter((entry) => {
    const open = isOpen(entry.rule.windows, now);
    note(evaluation, entry, open ? 'passed' : 'denied');
    return !open;
  });
  trace.push({ step: 'time-window', outcome: closed.length > 0 ? 'denied' : 'passed' });
  if (closed.length === 0) return undefined;

  // The rules open at different times: the check is worth repeating when the last of them opens.
  const openings = closed.map(({ rule }) => nextOpening(rule.windows, now));
  const opens = openings.every((at) => at !== undefined) ? Math.max(...openings) : undefined;
  const ids = closed.map(({ rule }) => rule.id).join(', ');
  return {
    decision: 'deny',
    reason: 'outside_time_window',
    message: `${describe(question.check)} is outside the time window of ${ids}`,
    ...(opens === undefined ? {} : { retryAt: new Date(opens).toISOString() }),
  };
}
