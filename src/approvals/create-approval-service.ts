import type { AuditRecorder } from '../audit/recorder.js';
import { Forbidden, InvalidRequest } from '../errors.js';
import type { Clock } from '../platform/clock.js';
import type { Database } from '../platform/database.js';
import { applyEvent, type Records } from './apply-event.js';
import { viewOf } from './approval.js';
import { searchApprovals } from './approval-search.js';
import type {
  Acting,
  ApprovalListing,
  ApprovalService,
  PolicyInForce,
} from './approval-service.js';
import { ApprovalStore, moment } from './approval-store.js';
import { bindQuestion } from './binding.js';
import { decideApproval, type Deciding, noSuchApproval } from './decide-approval.js';
import { openApproval } from './open-approval.js';
import { asItStands } from './policy-change.js';
import { maySee, reaches } from './sight.js';
import { cancelOutdated, cancelUncovered, sweepDue } from './sweep-approvals.js';

/** What the approvals stand on. */
export interface ApprovalServiceOptions {
  readonly database: Database;
  readonly audit: Pick<AuditRecorder, 'write'>;
  /**
   * The policy by which pending requests are read and decided, asked for at each call. Without it a
   * request stands until `cancelChanged` or another opening cancels it.
   */
  readonly policyInForce?: () => PolicyInForce;
  /** For tests: a fixed clock in place of the database's. */
  readonly clock?: Clock;
}

const APPROVAL_ID = /^apr_[0-9a-f]{32}$/;

/** Approvals that one page holds at most. */
const MAX_LIMIT = 200;

/** Requests that a sweep ends at most, unless told otherwise. */
const SWEEP_LIMIT = 200;

/** Approvals kept in Postgres. */
export function createApprovalService(options: ApprovalServiceOptions): ApprovalService {
  const { database, audit, clock, policyInForce = () => undefined } = options;
  const store = new ApprovalStore(database, clock);
  const records: Records = { store, audit };
  const deciders = { records, database, policyInForce };
  let surveyed: number | undefined;
  const decide =
    (deciding: Deciding): ApprovalService['approve'] =>
    async (acting, id, comment) => {
      if (!APPROVAL_ID.test(id)) throw noSuchApproval(id);
      return decideApproval(deciders, acting, deciding, id, comment);
    };

  return {
    find: (question) => store.standing(bindQuestion(question)),
    open: (question, opening) => openApproval(records, database, question, opening),
    async spend(transaction, id, { caller, revision, decisionId, requestId }) {
      const read = await store.lock(transaction, id);
      if (read === undefined) return false;
      const deed = { caller, revision, requestId, detail: { decision_id: decisionId } };
      const outcome = await applyEvent(records, transaction, read, { type: 'spend' }, deed);
      return 'next' in outcome;
    },
    async list(acting, listing) {
      refuseListing(acting, listing);
      const standing = { moment: moment(clock), policy: policyInForce() };
      const { reads, next } = await searchApprovals(database, standing, acting, listing);
      return { items: reads.map((read) => viewOf(asItStands(read, standing.policy))), next };
    },
    async get(acting, id) {
      const read = APPROVAL_ID.test(id) ? await store.find(id, database) : undefined;
      if (read === undefined || !maySee(acting, read.approval)) throw noSuchApproval(id);
      return viewOf(asItStands(read, policyInForce()));
    },
    approve: decide('approve'),
    reject: decide('reject'),
    cancel: decide('cancel'),
    revoke: decide('revoke'),
    sweep: (limit = SWEEP_LIMIT) => sweepDue(records, database, limit),
    async cancelChanged(policy) {
      const outdated = await cancelOutdated(records, database, policy);
      if (policy.revision === surveyed) return outdated;
      const uncovered = await cancelUncovered(records, database, policy);
      surveyed = policy.revision;
      return outdated + uncovered;
    },
  };
}

function refuseListing(acting: Acting, { tenant, after, limit = 1 }: ApprovalListing): void {
  if (tenant !== undefined && !reaches(acting, tenant)) {
    throw new Forbidden(`this credential does not reach the tenant \`${tenant}\``);
  }
  const faults = [
    ...(after === undefined || APPROVAL_ID.test(after)
      ? []
      : [{ path: '/after', message: 'is no `next` of a page before' }]),
    ...(Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT
      ? []
      : [{ path: '/limit', message: `must be a whole number from 1 to ${MAX_LIMIT}` }]),
  ];
  if (faults.length > 0) throw new InvalidRequest('the query is not valid', faults);
}
