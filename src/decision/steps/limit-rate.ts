import type { Limiter, Taken } from '../../governance/limiter.js';
import { demandsOf } from '../../governance/rate-limit.js';
import { type Evaluation, note, type Verdict } from '../evaluation.js';
import { describe } from './ask-casbin.js';

/** What was taken from the limits, to be given back should the check not be allowed after all. */
export type Receipt = Taken['receipt'];

/**
 * Takes one from every limit in force, all together or none. A dry run only looks. The receipt is
 * undefined where nothing was taken.
 */
export async function limitRate(
  evaluation: Evaluation,
  limiter: Limiter,
): Promise<{ verdict?: Verdict; receipt?: Receipt }> {
  const { applied, question, roles, trace } = evaluation;
  const entries = applied['rate-limit'];
  if (entries.length === 0) return {};

  const demands = demandsOf(entries, question.check, roles);
  const { dryRun } = question.options;
  const taken = await (dryRun ? limiter.peek(demands) : limiter.take(demands));
  if (taken.tightest !== undefined) {
    const { limit, remaining, reset } = taken.tightest;
    evaluation.rateLimit = { limit, remaining, reset };
  }
  for (const entry of entries) {
    note(evaluation, entry, taken.refused.includes(entry.rule.id) ? 'denied' : 'passed');
  }
  trace.push({ step: 'rate-limit', outcome: taken.allowed ? 'passed' : 'denied' });
  if (taken.allowed) return dryRun ? {} : { receipt: taken.receipt };

  const retryAfter = taken.retryAfter ?? taken.tightest?.reset ?? 1;
  return {
    verdict: {
      decision: 'deny',
      reason: 'rate_limited',
      message: `${describe(question.check)} has reached the limit of ${taken.refused.join(', ')}; try again in ${retryAfter} s`,
      retryAfter,
    },
  };
}
