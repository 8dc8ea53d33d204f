import type { ApprovalRequiredRule } from '../governance/governance-rule.js';
import type { ApprovalStage, Grant, KeptRule } from './approval.js';

/** What one request asks for on behalf of several rules. Durations in milliseconds. */
export interface JoinedTerms {
  readonly rules: readonly KeptRule[];
  readonly stages: readonly ApprovalStage[];
  readonly expiresAfter: number;
  readonly grant: Grant;
}

/**
 * One request covers every rule that applies: all their stages in the order of the rules, the
 * shortest expiry, the shortest grant, and `once` if any of them says so.
 */
export function joinTerms(rules: readonly ApprovalRequiredRule[]): JoinedTerms {
  const terms = rules.map((rule) => rule.approval);
  return {
    rules: rules.map(({ id, digest, description, approval }) => ({
      id,
      digest,
      risk: approval.risk,
      ...(description === undefined ? {} : { description }),
    })),
    stages: terms.flatMap(({ stages }) =>
      stages.map(({ approvers, count }) => ({ approvers, count, votes: [] })),
    ),
    expiresAfter: Math.min(...terms.map(({ expiresAfter }) => expiresAfter)),
    grant: {
      mode: terms.some(({ grant }) => grant.mode === 'once') ? 'once' : 'window',
      duration: Math.min(...terms.map(({ grant }) => grant.duration)),
      expiresAt: undefined,
      usedAt: undefined,
    },
  };
}
