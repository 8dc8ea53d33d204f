import type { ApprovalService } from '../../approvals/approval-service.js';
import type { AuditEvent } from '../../audit/event.js';
import type { AuditRecorder } from '../../audit/recorder.js';
import { actorOf } from '../../identity/caller.js';
import type { Database } from '../../platform/database.js';
import { whenHere } from '../../platform/eventual.js';
import { type JsonObject, type JsonValue, resourceKey, subjectKey } from '../../vocabulary.js';
import { type Answer, answerOf, newDecisionId } from '../answer.js';
import type { Stores } from '../decide.js';
import type { Evaluation, Verdict } from '../evaluation.js';
import { type Claim, keepAnswer } from '../idempotency.js';

/** What the last step writes to. */
export interface Ledger {
  readonly database: Database;
  readonly approvals: Pick<ApprovalService, 'spend'>;
  readonly audit: Pick<AuditRecorder, 'record' | 'write' | 'keepsDecisions'>;
}

/**
 * The last step. A `once` grant, the event of its use and the answer kept for repetitions commit in
 * one transaction: after a crash either all of it happened or nothing. Everything else is recorded
 * as the audit mode says.
 */
export function spendAndAudit(ledger: Ledger, claim?: Claim): Stores['settle'] {
  return (evaluation, verdict) => {
    const decisionId = newDecisionId(evaluation.now);
    const answer = answerOf(evaluation, verdict, decisionId);
    if (spends(evaluation, verdict)) {
      const event = eventOf(evaluation, verdict, decisionId);
      return spend(ledger, evaluation, evaluation.grant.id, { answer, event, decisionId, claim });
    }
    if (!ledger.audit.keepsDecisions) return answer;
    return whenHere(ledger.audit.record(eventOf(evaluation, verdict, decisionId)), () => answer);
  };
}

/** A recorder whose records are not waited for, one decision after another. */
export interface LateRecorder {
  readonly audit: Ledger['audit'];
  /** What the decision recorded, to be awaited; undefined where that is kept already. */
  recorded(): Promise<void> | undefined;
}

/** Makes a recorder for decisions that are taken one after another, and answered together. */
export function recordingLater(audit: Ledger['audit']): LateRecorder {
  let latest: Promise<void> | undefined;
  return {
    audit: {
      keepsDecisions: audit.keepsDecisions,
      record(event) {
        const kept = audit.record(event);
        if (!(kept instanceof Promise)) return;
        // Told to whoever awaits it; until then it is nobody's unhandled rejection.
        kept.catch(() => undefined);
        latest = kept;
      },
      write: (transaction, ...events) => audit.write(transaction, ...events),
    },
    recorded() {
      const taken = latest;
      latest = undefined;
      return taken;
    },
  };
}

type Granted = Evaluation & { readonly grant: NonNullable<Evaluation['grant']> };

function spends(evaluation: Evaluation, { decision }: Verdict): evaluation is Granted {
  return (
    decision === 'allow' && evaluation.grant?.mode === 'once' && !evaluation.question.options.dryRun
  );
}

/** Thrown to roll the transaction back: another check has used the grant first. */
class GrantLost extends Error {}

interface Spending {
  readonly answer: Answer;
  readonly event: AuditEvent;
  readonly decisionId: string;
  readonly claim: Claim | undefined;
}

async function spend(
  { database, approvals, audit }: Ledger,
  evaluation: Evaluation,
  grantId: string,
  { answer, event, decisionId, claim }: Spending,
): Promise<Answer | undefined> {
  const { policy, question } = evaluation;
  const { caller, requestId } = question;
  try {
    return await database.transaction().execute(async (transaction) => {
      const use = { caller, revision: policy.revision, decisionId, requestId };
      const won = await approvals.spend(transaction, grantId, use);
      if (!won) throw new GrantLost();
      await audit.write(transaction, event);
      if (claim !== undefined) await keepAnswer(transaction, claim, JSON.stringify(answer));
      // From here on an error leaves open whether the grant is spent: then the quota is, too.
      evaluation.receipt = undefined;
      return answer;
    });
  } catch (error) {
    if (error instanceof GrantLost) return undefined;
    throw error;
  }
}

/** Made for every check, and written later: it takes what is there as it is. */
function eventOf(evaluation: Evaluation, verdict: Verdict, id: string): AuditEvent {
  const { policy, question, rules } = evaluation;
  const { check, caller, requestId, ip, options } = question;
  const detail: Record<string, JsonValue> = {
    check: question.requested as unknown as JsonObject,
    message: verdict.message,
  };
  if (caller.user !== undefined) detail['caller'] = caller.id;
  if (options.dryRun) detail['dry_run'] = true;
  return {
    id,
    kind: 'decision',
    at: new Date(evaluation.now),
    tenant: check.tenant,
    actor: actorOf(caller),
    subject: subjectKey(check.subject),
    action: check.action.name,
    resource: resourceKey(check.resource),
    decision: verdict.decision,
    reason: verdict.reason,
    rules,
    revision: policy.revision,
    bundle: policy.bundle?.number,
    commit: policy.bundle?.commit,
    requestId,
    approvalId: verdict.approval?.id,
    ip,
    detail,
  };
}
