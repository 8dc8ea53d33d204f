import { subjectKey } from '../vocabulary.js';
import type { SubjectOfCheck } from './engine.js';
import type { ModelDefinitions } from './definitions.js';
import { valueAt } from './request-token.js';

/** What the model's `sub` is filled with: nobody, where a bundle fills it with what is no text. */
export function subOf(
  { requestTokens }: Pick<ModelDefinitions, 'requestTokens'>,
  check: SubjectOfCheck,
): string | undefined {
  const token = requestTokens.get('sub');
  if (token === undefined || isPlainSub(token.path)) return subjectKey(check.subject);
  const sub = valueAt(token.path, check);
  return typeof sub === 'string' ? sub : undefined;
}

function isPlainSub([root, member]: readonly string[]): boolean {
  return root === 'subject' && member === 'key';
}
