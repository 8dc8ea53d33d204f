import type { Approvers } from '../governance/governance-rule.js';
import { subjectKey } from '../vocabulary.js';
import type { Approval } from './approval.js';

/** Who votes: a caller, with the roles that it holds in the tenant of the approval. */
export interface Voter {
  /** Who counts once. */
  readonly person: string;
  /** The user whose credential it is. */
  readonly user: string | undefined;
  /** System roles of the credential, and the roles that `g` gives its user in the tenant. */
  readonly roles: readonly string[];
}

/** Whether the voter holds one of the roles, or is named (as `alice` or `user:alice`). */
export function eligibleFor(approvers: Approvers, voter: Voter): boolean {
  return (
    approvers.roles.some((role) => voter.roles.includes(role)) ||
    approvers.users.some((name) => namesOf(voter).includes(name))
  );
}

/** The names by which a stage may name the voter's user. */
export function namesOf({ user }: Pick<Voter, 'user'>): readonly string[] {
  return user === undefined ? [] : [user, `user:${user}`];
}

/**
 * Whether the request is the voter's own: asked for by the same person, through whichever
 * credential, or about the voter as its subject.
 */
export function isOwn(
  approval: Pick<Approval, 'requester' | 'check'>,
  voter: Pick<Voter, 'person' | 'user'>,
): boolean {
  return approval.requester === voter.person || isSubject(approval, voter);
}

/** Whether the approval is about the voter. */
function isSubject({ check }: Pick<Approval, 'check'>, voter: Pick<Voter, 'person' | 'user'>) {
  return subjectNamesOf(voter).includes(subjectKey(check.subject));
}

/** The subjects (Casbin's names) that the voter would be: its user, and the user who counts for it. */
export function subjectNamesOf({ person, user }: Pick<Voter, 'person' | 'user'>): string[] {
  return [
    ...(user === undefined ? [] : [user]),
    ...(person.startsWith('user:') ? [person.slice('user:'.length)] : []),
  ];
}
