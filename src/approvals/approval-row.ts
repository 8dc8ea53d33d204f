import type { ColumnType, Insertable, Selectable, Updateable } from 'kysely';
import { type Check, subjectKey } from '../vocabulary.js';
import type { Approval, ApprovalStage, ApprovalStatus, GrantMode, KeptRule } from './approval.js';
import { type Binding, sortedPaths } from './binding.js';
import { openStage } from './state-machine.js';

/** A column that is read as parsed JSON and written as text. */
type Json<Value> = ColumnType<Value, string, string>;

/** The tables of this folder. */
export type ApprovalTables = {
  approvals: {
    id: string;
    tenant: string;
    status: ApprovalStatus;
    reason: 'policy_changed' | null;
    requester: string;
    subject: string;
    evaluated: Json<Check>;
    requested: Json<Check>;
    rules: Json<readonly KeptRule[]>;
    rule_digests: readonly string[];
    bind: readonly string[];
    identity: Buffer;
    content: Buffer;
    terms: Buffer;
    stages: Json<readonly StoredStage[]>;
    approver_roles: readonly string[];
    approver_users: readonly string[];
    open_roles: readonly string[];
    open_users: readonly string[];
    voters: readonly string[];
    opened_at: Date;
    expires_at: Date;
    decided_at: Date | null;
    grant_mode: GrantMode;
    grant_duration_ms: ColumnType<string, number, number>;
    grant_expires_at: Date | null;
    used_at: Date | null;
    revision: ColumnType<string, number, number>;
  };
};
export type ApprovalRow = Selectable<ApprovalTables['approvals']>;

/** A stage as JSON keeps it: a vote without a comment lacks the member. */
type StoredStage = Omit<ApprovalStage, 'votes'> & {
  readonly votes: readonly {
    readonly by: string;
    readonly decision: 'approve' | 'reject';
    readonly at: number;
    readonly comment?: string;
  }[];
};

/** What was asked, beside the approval itself: how its check finds it again. */
export interface Asked {
  readonly requested: Check;
  readonly bind: readonly string[];
  readonly binding: Binding;
}

/** The approval that a row holds. */
export function approvalOf(row: ApprovalRow): Approval {
  return {
    id: row.id,
    tenant: row.tenant,
    status: row.status,
    reason: row.reason ?? undefined,
    requester: row.requester,
    check: row.evaluated,
    rules: row.rules,
    stages: row.stages.map((stage) => ({
      ...stage,
      votes: stage.votes.map((vote) => ({ ...vote, comment: vote.comment })),
    })),
    openedAt: row.opened_at.getTime(),
    expiresAt: row.expires_at.getTime(),
    decidedAt: row.decided_at?.getTime(),
    grant: {
      mode: row.grant_mode,
      duration: Number(row.grant_duration_ms),
      expiresAt: row.grant_expires_at?.getTime(),
      usedAt: row.used_at?.getTime(),
    },
    revision: Number(row.revision),
  };
}

/** The row of a new approval. */
export function rowOf(
  approval: Approval,
  { requested, bind, binding }: Asked,
): Insertable<ApprovalTables['approvals']> {
  const { stages } = approval;
  return {
    id: approval.id,
    tenant: approval.tenant,
    requester: approval.requester,
    subject: subjectKey(approval.check.subject),
    evaluated: JSON.stringify(approval.check),
    requested: JSON.stringify(requested),
    rules: JSON.stringify(approval.rules),
    rule_digests: approval.rules.map((rule) => rule.digest),
    bind: sortedPaths(bind),
    identity: Buffer.from(binding.identity, 'hex'),
    content: Buffer.from(binding.content, 'hex'),
    terms: Buffer.from(binding.terms, 'hex'),
    approver_roles: [...new Set(stages.flatMap((stage) => stage.approvers.roles))],
    approver_users: [...new Set(stages.flatMap((stage) => stage.approvers.users))],
    opened_at: new Date(approval.openedAt),
    expires_at: new Date(approval.expiresAt),
    grant_mode: approval.grant.mode,
    grant_duration_ms: approval.grant.duration,
    revision: approval.revision,
    ...changeableColumns(approval),
  };
}

/** The columns that events change. */
export function changeableColumns(approval: Approval) {
  const { stages, decidedAt, grant } = approval;
  const approvers = openStage(stages)?.approvers;
  return {
    status: approval.status,
    reason: approval.reason ?? null,
    stages: JSON.stringify(stages),
    open_roles: [...(approvers?.roles ?? [])],
    open_users: [...(approvers?.users ?? [])],
    voters: stages.flatMap((stage) => stage.votes.map((vote) => vote.by)),
    decided_at: dateOf(decidedAt),
    grant_expires_at: dateOf(grant.expiresAt),
    used_at: dateOf(grant.usedAt),
  } satisfies Updateable<ApprovalTables['approvals']>;
}

function dateOf(milliseconds: number | undefined): Date | null {
  return milliseconds === undefined ? null : new Date(milliseconds);
}
