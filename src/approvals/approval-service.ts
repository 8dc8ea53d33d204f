import type { Caller } from '../identity/caller.js';
import type { Permission } from '../identity/system-roles.js';
import type { DatabaseTransaction } from '../platform/database.js';
import type { Check } from '../vocabulary.js';
import type { ApprovalStatus, ApprovalView, FoundApproval } from './approval.js';
import type { ApprovalQuestion } from './binding.js';

/** Who acts on approvals, with what the policy says of them at this moment. */
export interface Acting {
  readonly caller: Caller;
  /** The roles that `g` gives the caller's user in a tenant; none for a caller without a user. */
  rolesIn(tenant: string): readonly string[];
  /** Whether the credential has a permission in a tenant; `undefined` asks for all tenants at once. */
  permits(permission: Permission, tenant: string | undefined): boolean;
  readonly requestId?: string;
}

/** What asking for an approval comes to. `settled`: a grant or a rejection stands already. */
export type OpenedApproval =
  | { readonly outcome: 'opened' | 'existing'; readonly approval: ApprovalView }
  | {
      readonly outcome: 'settled';
      readonly found: Extract<FoundApproval, { state: 'granted' | 'rejected' }>;
    };

/** Who asked, under which revision of the policy. */
export interface Opening {
  readonly requester: Caller;
  readonly revision: number;
  readonly requestId?: string;
}

/** A use of a grant, as the audit tells it. */
export interface GrantUse {
  readonly caller: Caller;
  readonly revision: number;
  readonly decisionId: string;
  readonly requestId?: string;
}

/** `GET /v1/approvals`. */
export interface ApprovalListing {
  /**
   * `inbox`: pending ones that the caller can decide now. `mine`: those that the caller's person
   * asked for, or that are about its user. `all` (default): every one that the caller may see.
   */
  readonly view?: 'inbox' | 'mine' | 'all';
  readonly status?: ApprovalStatus;
  readonly tenant?: string;
  /** `next` of the page before. */
  readonly after?: string;
  /** 1 to 200; 50 unless given. */
  readonly limit?: number;
}

/** What is in force: whatever a pending request keeps besides this has changed under it. */
export interface PolicyInForce {
  readonly revision: number;
  /** The digests of all approval-required rules of the active bundle. */
  readonly digests: readonly string[];
  /** `approval.bind` of the active bundle. */
  readonly bind: readonly string[];
  /**
   * The digests of the approval-required rules that apply to a check now, and would have at `since`
   * (milliseconds since the epoch). Both, because a condition may read the time: a rule that applies
   * only because time went by has not changed, and asks when the check is made.
   */
  needs(check: Check, since: number): readonly string[];
}

/** Requests for approval, from the question to the grant that is spent. Times are the database's. */
export interface ApprovalService {
  /** What stands for this check under exactly these rules; one query. */
  find(question: ApprovalQuestion): Promise<FoundApproval>;

  /**
   * Opens a request, or finds the pending one: however many ask at once, there is one for a binding.
   * A pending request for the same check under other rules is cancelled (`policy_changed`).
   */
  open(question: ApprovalQuestion, opening: Opening): Promise<OpenedApproval>;

  /**
   * Uses a grant inside the transaction that records the decision. True where the grant is in force:
   * of any number of racers for a `once` grant exactly one gets true. A `window` grant stays.
   * On false the caller rolls back and gives the quota back.
   */
  spend(transaction: DatabaseTransaction, id: string, use: GrantUse): Promise<boolean>;

  /** Newest first. Throws `Forbidden` for a tenant that the credential does not reach. */
  list(
    acting: Acting,
    listing: ApprovalListing,
  ): Promise<{ readonly items: readonly ApprovalView[]; readonly next: string | null }>;

  /** Throws `NotFound`, also for whoever may not see it. */
  get(acting: Acting, id: string): Promise<ApprovalView>;

  /**
   * Throws `NotFound`, `AlreadyDecided`, `SelfApproval`, `NotAnApprover`, `Conflict` (voted already),
   * in this order. A request that the policy has changed under is cancelled (`policy_changed`) and
   * refused as `AlreadyDecided`, whatever was to be done to it.
   */
  approve(acting: Acting, id: string, comment?: unknown): Promise<ApprovalView>;

  /** One rejection ends the request. Throws as `approve` does. */
  reject(acting: Acting, id: string, comment?: unknown): Promise<ApprovalView>;

  /** By the person who asked, or who has `approvals:cancel`. Throws `NotFound`, `Forbidden`, `AlreadyDecided`. */
  cancel(acting: Acting, id: string, comment?: unknown): Promise<ApprovalView>;

  /**
   * Takes a grant back: by whoever could decide a stage, or who has `approvals:revoke`. Throws
   * `NotFound`, `SelfApproval`, `NotAnApprover`, `Conflict` (still pending), `AlreadyDecided`.
   */
  revoke(acting: Acting, id: string, comment?: unknown): Promise<ApprovalView>;

  /** Writes down what time has ended, at most `limit` requests of each kind; for a timer. */
  sweep(limit?: number): Promise<{ readonly expired: number; readonly lapsed: number }>;

  /**
   * Cancels the pending requests that keep a rule which is gone or reads otherwise now, and, once for
   * each revision, those whose check needs a rule that they do not keep. Those opened under a later
   * revision than `policy.revision` are left alone. Answers how many.
   */
  cancelChanged(policy: PolicyInForce): Promise<number>;
}
