import { subjectKey } from '../../vocabulary.js';
import { describe } from '../describe.js';
import type { Evaluation, Verdict } from '../evaluation.js';

/** Ends the decision where Casbin does not allow the check. */
export function judgeCasbin({ casbin, question, rules, trace }: Evaluation): Verdict | undefined {
  if (casbin.effect === 'error') {
    trace.push({ step: 'casbin', outcome: 'evaluation_error', message: casbin.message });
    return {
      decision: 'deny',
      reason: 'evaluation_error',
      message: `${describe(question.check)} cannot be decided: ${casbin.message}`,
    };
  }
  if (casbin.rule !== undefined) rules.push({ kind: 'casbin', rule: casbin.rule });
  if (casbin.effect === 'allow') {
    trace.push({ step: 'casbin', outcome: 'allowed' });
    return undefined;
  }
  const reason = casbin.explicit ? 'explicit_deny' : 'no_matching_rule';
  trace.push({ step: 'casbin', outcome: reason });
  const what = describe(question.check);
  return {
    decision: 'deny',
    reason,
    message: casbin.explicit
      ? `${what} is denied by a rule`
      : `no rule allows ${what} for ${subjectKey(question.check.subject)}`,
  };
}
