import { subjectKey } from '../../vocabulary.js';
import type { Evaluation, Verdict } from '../evaluation.js';
import { describe } from './ask-casbin.js';

/** The verdict on a check that every step has let pass. */
export function allow({ grant, question }: Evaluation): Verdict {
  const message = `${subjectKey(question.check.subject)} may do ${describe(question.check)}`;
  return grant === undefined
    ? { decision: 'allow', reason: 'allowed', message }
    : { decision: 'allow', reason: 'granted', message: `${message}: it was approved` };
}
