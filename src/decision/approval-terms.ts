import type { PolicyInForce } from '../approvals/approval-service.js';
import type { Clock } from '../platform/clock.js';
import type { Snapshot } from '../policy/snapshot.js';
import type { Check } from '../vocabulary.js';
import { selectRules } from './select-rules.js';

/**
 * What a policy asks for by way of approvals: by this the requests that wait are read and decided.
 * Which rules a check needs is found as a decision finds it, by the clock that decisions go by.
 */
export function approvalTerms(snapshot: Snapshot, clock: Clock): PolicyInForce {
  const { revision, governance, engine, settings } = snapshot;
  const digests = governance.rules
    .filter((rule) => rule.kind === 'approval-required')
    .map((rule) => rule.digest);
  const digestsAt = (check: Check, now: number): string[] => {
    const roles = rolesOf(engine, check);
    if (roles === undefined) return [];
    const applied = selectRules(governance, { check, roles, now });
    return applied['approval-required'].map(({ rule }) => rule.digest);
  };
  return {
    revision,
    digests,
    bind: settings.bind,
    needs(check, since) {
      const then = new Set(digestsAt(check, since));
      return digestsAt(check, clock.now()).filter((digest) => then.has(digest));
    },
  };
}

/** Undefined where they cannot be told: the check is denied then, and needs nobody's approval. */
function rolesOf(engine: Snapshot['engine'], check: Check): readonly string[] | undefined {
  try {
    return engine.rolesOf(check);
  } catch {
    return undefined;
  }
}
