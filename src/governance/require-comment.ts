import { Type } from '@sinclair/typebox';
import type { CommentTerms, RequireCommentRule } from './governance-rule.js';
import type { KindOfRule } from './kind.js';
import { compilePattern } from './linear-regex.js';
import { CLOSED } from './schema-parts.js';
import { memberOf } from '../platform/written-member.js';

interface Written {
  readonly comment: { readonly min_length?: number; readonly pattern?: string };
}

/** `require-comment`: what the rule speaks of needs a `context.comment`. */
export const requireComment: KindOfRule<RequireCommentRule, Written> = {
  kind: 'require-comment',
  members: {
    comment: Type.Object(
      {
        min_length: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 10_000,
            default: 1,
            description: 'Least number of characters, spaces at both ends not counted.',
          }),
        ),
        pattern: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'A regular expression (RE2) that must match anywhere in the comment.',
          }),
        ),
      },
      { ...CLOSED, description: 'What `context.comment` must look like.' },
    ),
  },
  compile: ({ comment }, tell) => {
    const minLength = comment.min_length ?? 1;
    if (comment.pattern === undefined) return { comment: { minLength } };
    const pattern = compilePattern(comment.pattern);
    if ('fault' in pattern) {
      tell('/comment/pattern', pattern.fault);
      return { comment: { minLength } };
    }
    return { comment: { minLength, pattern } };
  },
  inspect: (rule, tell) => {
    const source = memberOf(memberOf(rule, 'comment'), 'pattern');
    if (typeof source !== 'string' || source === '') return;
    const pattern = compilePattern(source);
    if ('fault' in pattern) tell('/comment/pattern', pattern.fault);
  },
};

/** Longest comment that is taken, in UTF-16 code units: patterns go through all of it. */
const MAX_LENGTH = 10_000;

/**
 * Why a comment does not meet a rule's terms, for people; undefined where it does. Characters are
 * Unicode code points.
 */
export function commentFault(terms: CommentTerms, comment: unknown): string | undefined {
  if (comment === undefined || comment === null) return '`context.comment` is missing';
  if (typeof comment !== 'string') return '`context.comment` must be a text';
  const text = comment.trim();
  if (text === '') return '`context.comment` is empty';
  if (text.length > MAX_LENGTH) return `\`context.comment\` has over ${MAX_LENGTH} characters`;
  if (isShorter(text, terms.minLength)) {
    return `\`context.comment\` must have at least ${terms.minLength} characters, not ${lengthOf(text)}`;
  }
  if (terms.pattern && !terms.pattern.matches(text)) {
    return `\`context.comment\` must match \`${terms.pattern.source}\``;
  }
  return undefined;
}

/** Whether a text has fewer characters; one takes one code unit or two, so most need not be counted. */
function isShorter(text: string, characters: number): boolean {
  return text.length < 2 * characters && lengthOf(text) < characters;
}

function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length += 1;
  return length;
}
