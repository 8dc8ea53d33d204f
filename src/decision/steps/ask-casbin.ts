import { type Check, resourceKey, subjectKey } from '../../vocabulary.js';
import type { EngineAnswer } from '../../engine/engine.js';
import type { Snapshot } from '../../policy/snapshot.js';
import type { Evaluation, Verdict } from '../evaluation.js';

/**
 * What Casbin answers, read without awaiting anything. A tenant that the bundle does not serve, and
 * a subject that goes by the name of a role, match no rule.
 */
export function answerOfCasbin(check: Check, policy: Snapshot): EngineAnswer {
  const { tenants, rolesAsSubjects } = policy.settings;
  if (tenants !== undefined && !tenants.includes(check.tenant)) {
    return { effect: 'deny', explicit: false };
  }
  if (!rolesAsSubjects && policy.engine.subjectIsRole(check)) {
    return { effect: 'deny', explicit: false };
  }
  return policy.engine.decide(check);
}

/** Ends the decision where Casbin does not allow the check. */
export function askCasbin({ casbin, question, rules, trace }: Evaluation): Verdict | undefined {
  const what = describe(question.check);
  if (casbin.effect === 'error') {
    trace.push({ step: 'casbin', outcome: 'evaluation_error', message: casbin.message });
    return {
      decision: 'deny',
      reason: 'evaluation_error',
      message: `${what} cannot be decided: ${casbin.message}`,
    };
  }
  if (casbin.rule !== undefined) rules.push({ kind: 'casbin', rule: casbin.rule });
  if (casbin.effect === 'allow') {
    trace.push({ step: 'casbin', outcome: 'allowed' });
    return undefined;
  }
  const reason = casbin.explicit ? 'explicit_deny' : 'no_matching_rule';
  trace.push({ step: 'casbin', outcome: reason });
  return {
    decision: 'deny',
    reason,
    message: casbin.explicit
      ? `${what} is denied by a rule`
      : `no rule allows ${what} for ${subjectKey(question.check.subject)}`,
  };
}

/** The check in a few words, for messages. */
export function describe(check: Check): string {
  return `${check.action.name} on ${resourceKey(check.resource)}`;
}
