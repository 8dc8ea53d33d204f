import { subjectKey } from '../../vocabulary.js';
import type { Evaluation, Verdict } from '../evaluation.js';
import { describe } from '../describe.js';

/** The verdict on a check that every step has let pass. */
export function allow({ grant, question }: Evaluation): Verdict {
  const { check, options } = question;
  const message = `${describe(check)} is allowed for ${subjectKey(check.subject)}`;
  if (grant === undefined) return { decision: 'allow', reason: 'allowed', message };
  const status = grant.mode === 'once' && !options.dryRun ? 'used' : 'approved';
  return {
    decision: 'allow',
    reason: 'granted',
    message: `${message}: it was approved`,
    approval: { id: grant.id, status, expires_at: new Date(grant.expiresAt).toISOString() },
  };
}
