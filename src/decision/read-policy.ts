import type { EngineAnswer } from '../engine/engine.js';
import { RevisionUnavailable, Unavailable } from '../errors.js';
import { authenticateAgain } from '../identity/authenticate.js';
import type { Caller } from '../identity/caller.js';
import type { Clock } from '../platform/clock.js';
import type { Eventual } from '../platform/eventual.js';
import type { CurrentPolicy } from '../policy/current-policy.js';
import type { Snapshot } from '../policy/snapshot.js';
import type { Check } from '../vocabulary.js';
import type { Question, Reading } from './evaluation.js';

/** How long an answer waits for `min_revision`, in milliseconds. */
const REVISION_WAIT = 500;

/** Of a check whose roles nothing asks for. */
const NO_ROLES: readonly string[] = [];

/**
 * Reads all that a check needs of the policy. Synchronous: what is read of one snapshot without
 * awaiting in between is of one revision.
 */
export function readPolicy(question: Question, policy: Snapshot): Reading {
  const casbin = askCasbin(question.check, policy);
  if (!question.options.explain && !needsRoles(policy)) {
    return { question, policy, casbin, roles: NO_ROLES };
  }
  try {
    return { question, policy, casbin, roles: policy.engine.rolesOf(question.check) };
  } catch (error) {
    // Without the roles nobody knows which governance rules apply.
    const message = error instanceof Error ? error.message : String(error);
    return { question, policy, casbin: { effect: 'error', message }, roles: [] };
  }
}

/**
 * Whether the roles of a subject may change what is decided. By patterns they may be such that nobody
 * can tell them, and then the check is denied, whoever asks.
 */
function needsRoles({ governance, model }: Snapshot): boolean {
  return governance.mayReadRoles || (model !== undefined && model.rolePatterns.size > 0);
}

/**
 * What Casbin answers. A tenant that the bundle does not serve, and
 * a subject that goes by the name of a role, match no rule.
 */
function askCasbin(check: Check, policy: Snapshot): EngineAnswer {
  const { tenants, rolesAsSubjects } = policy.settings;
  if (tenants !== undefined && !tenants.includes(check.tenant)) {
    return { effect: 'deny', explicit: false };
  }
  const answer = policy.engine.decide(check);
  // Asked last: for a check that it has decided the engine need not look the subject up again.
  return !rolesAsSubjects && policy.engine.subjectIsRole(check)
    ? { effect: 'deny', explicit: false }
    : answer;
}

/**
 * Makes sure that the policy here may be decided by, as a rule that was taken back must not count for
 * ever where Postgres cannot say so, and waits until it is at least as new as `revision`. Whoever waited reads the snapshot
 * afterwards, in one turn with what it asks of it: an engine may take a change in the next.
 *
 * @throws Unavailable where Postgres has not confirmed the policy for too long; RevisionUnavailable
 *   where the revision does not come in time; Unauthenticated where the caller's key
 *   was revoked meanwhile, or expired: that may be the very change that was waited for
 */
export function untilRevision(
  current: CurrentPolicy,
  caller: Caller,
  { revision = 0, clock }: { readonly revision?: number | undefined; readonly clock: Clock },
): Eventual<void> {
  if (!current.isFresh()) {
    throw new Unavailable('the policy was not confirmed for too long: Postgres does not answer');
  }
  if (current.snapshot.revision >= revision) return;
  return waitForRevision(current, caller, revision, clock);
}

async function waitForRevision(
  current: CurrentPolicy,
  caller: Caller,
  revision: number,
  clock: Clock,
): Promise<void> {
  if ((await current.waitFor(revision, REVISION_WAIT)) === undefined) {
    throw new RevisionUnavailable(
      `revision ${revision} is not here yet; this server is at ${current.snapshot.revision}`,
    );
  }
  authenticateAgain(caller, current.snapshot.keys, clock.now());
}
