import type { Limiter, Taken } from '../../governance/limiter.js';
import { type Eventual, whenHere } from '../../platform/eventual.js';
import { demandsOf } from '../../governance/rate-limit.js';
import { type Evaluation, note, type Verdict } from '../evaluation.js';
import { describe } from '../describe.js';

/**
 * Takes one from every limit in force, all together or none. A dry run only looks. Answers at once
 * where there is no limit, or the counters are in memory.
 */
export function limitRate(evaluation: Evaluation, limiter: Limiter): Eventual<Verdict | undefined> {
  const { applied, question, roles } = evaluation;
  const entries = applied['rate-limit'];
  if (entries.length === 0) return undefined;

  const demands = demandsOf(entries, question.check, roles);
  const taken = question.options.dryRun ? limiter.peek(demands) : limiter.take(demands);
  return whenHere(taken, (answer) => judge(evaluation, answer));
}

function judge(evaluation: Evaluation, taken: Taken): Verdict | undefined {
  const { applied, question, trace } = evaluation;
  if (taken.tightest !== undefined) {
    const { limit, remaining, reset } = taken.tightest;
    evaluation.rateLimit = { limit, remaining, reset };
  }
  for (const entry of applied['rate-limit']) {
    note(evaluation, entry, taken.refused.includes(entry.rule.id) ? 'denied' : 'passed');
  }
  trace.push({ step: 'rate-limit', outcome: taken.allowed ? 'passed' : 'denied' });
  if (taken.allowed) {
    if (!question.options.dryRun) evaluation.receipt = taken.receipt;
    return undefined;
  }

  const retryAfter = taken.retryAfter ?? taken.tightest?.reset ?? 1;
  return {
    decision: 'deny',
    reason: 'rate_limited',
    message: `${describe(question.check)} has reached the limit of ${taken.refused.join(', ')}; try again in ${retryAfter} s`,
    retryAfter,
  };
}

/** Puts back what `limitRate` took, for a check that is not allowed after all. */
export async function giveBackQuota({ receipt }: Evaluation, limiter: Limiter): Promise<void> {
  if (receipt !== undefined) await limiter.giveBack(receipt);
}
