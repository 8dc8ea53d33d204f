import type { Approvers, Risk } from '../governance/governance-rule.js';
import type { Check } from '../vocabulary.js';

/** `pending` → `approved` → `used` or `lapsed`; every other status ends a request or its grant. */
export const APPROVAL_STATUSES = [
  'pending',
  'approved',
  'used',
  'lapsed',
  'rejected',
  'expired',
  'cancelled',
  'revoked',
] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

/** What an approval gives: one use, or any number of uses, until its time is over. */
export type GrantMode = 'once' | 'window';

/** What one person decided. A vote counts as cast, even if the role is lost later. */
export interface Vote {
  /** The person, who counts once over all stages. */
  readonly by: string;
  readonly decision: 'approve' | 'reject';
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly comment: string | undefined;
}

/** One stage: `count` different persons out of `approvers`. Stages are met in the order listed. */
export interface ApprovalStage {
  readonly approvers: Approvers;
  readonly count: number;
  readonly votes: readonly Vote[];
}

/** A rule that a request covers. Its grant lifts this rule only while the digest is the same. */
export interface KeptRule {
  readonly id: string;
  readonly digest: string;
  readonly risk: Risk;
  readonly description?: string;
}

/** The permission that an approval gives. `expiresAt` and `usedAt` in milliseconds since the epoch. */
export interface Grant {
  readonly mode: GrantMode;
  /** Milliseconds; the clock starts at the approval. */
  readonly duration: number;
  /** Undefined until the request is approved. At this very moment the grant is over. */
  readonly expiresAt: number | undefined;
  readonly usedAt: number | undefined;
}

/** A request for approval and what became of it; immutable. Times in milliseconds since the epoch. */
export interface Approval {
  readonly id: string;
  readonly tenant: string;
  readonly status: ApprovalStatus;
  /** Why it was cancelled, where nobody did it: the policy changed under the request. */
  readonly reason: 'policy_changed' | undefined;
  /** The person who asked. */
  readonly requester: string;
  /** The check as it was evaluated. */
  readonly check: Check;
  readonly rules: readonly KeptRule[];
  readonly stages: readonly ApprovalStage[];
  readonly openedAt: number;
  /** At this very moment the request is no longer open, and a rejection no longer answers. */
  readonly expiresAt: number;
  /** When somebody approved, rejected or cancelled it. */
  readonly decidedAt: number | undefined;
  readonly grant: Grant;
  /** The revision of the policy that asked for the approval. */
  readonly revision: number;
}

/** What stands for a check at this moment. Times in milliseconds since the epoch. */
export type FoundApproval =
  | { readonly state: 'none' }
  | { readonly state: 'pending'; readonly id: string; readonly expiresAt: number }
  | {
      readonly state: 'granted';
      readonly id: string;
      readonly mode: GrantMode;
      readonly expiresAt: number;
    }
  | { readonly state: 'rejected'; readonly id: string; readonly until: number };

/** An approval as the API shows it. Times are RFC 3339 in UTC. */
export interface ApprovalView {
  readonly id: string;
  readonly tenant: string;
  readonly status: ApprovalStatus;
  readonly reason?: 'policy_changed';
  readonly requester: string;
  readonly check: Check;
  readonly rules: readonly KeptRule[];
  readonly stages: readonly {
    readonly approvers: Approvers;
    readonly count: number;
    readonly votes: readonly {
      readonly by: string;
      readonly decision: 'approve' | 'reject';
      readonly at: string;
      readonly comment: string | null;
    }[];
  }[];
  readonly opened_at: string;
  readonly expires_at: string;
  readonly decided_at?: string;
  /** There once the request was approved. */
  readonly grant?: {
    readonly mode: GrantMode;
    readonly expires_at: string;
    readonly used_at?: string;
  };
  readonly revision: number;
}

/** An approval as the API shows it. */
export function viewOf(approval: Approval): ApprovalView {
  const { reason, decidedAt, grant } = approval;
  return {
    id: approval.id,
    tenant: approval.tenant,
    status: approval.status,
    ...(reason === undefined ? {} : { reason }),
    requester: approval.requester,
    check: approval.check,
    rules: approval.rules,
    stages: approval.stages.map((stage) => ({
      approvers: stage.approvers,
      count: stage.count,
      votes: stage.votes.map(({ by, decision, at, comment }) => ({
        by,
        decision,
        at: instant(at),
        comment: comment ?? null,
      })),
    })),
    opened_at: instant(approval.openedAt),
    expires_at: instant(approval.expiresAt),
    ...(decidedAt === undefined ? {} : { decided_at: instant(decidedAt) }),
    ...(grant.expiresAt === undefined
      ? {}
      : {
          grant: {
            mode: grant.mode,
            expires_at: instant(grant.expiresAt),
            ...(grant.usedAt === undefined ? {} : { used_at: instant(grant.usedAt) }),
          },
        }),
    revision: approval.revision,
  };
}

function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
