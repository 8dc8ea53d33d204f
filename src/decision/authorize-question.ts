import { Forbidden, InvalidRequest } from '../errors.js';
import type { Caller } from '../identity/caller.js';
import { permits } from '../identity/permissions.js';
import type { Check } from '../vocabulary.js';
import { actionOf, type BatchItem, type CheckBody, resourceOf, subjectOf } from './check-schema.js';
import type { CheckOptions, Question } from './evaluation.js';

/** Where a question came from. */
export interface Origin {
  readonly requestId: string;
  readonly ip?: string | undefined;
}

/**
 * Turns a body into a question that this caller may ask. Throws `InvalidRequest` where something is
 * missing that the credential does not say, `Forbidden` where the caller may not ask it.
 */
export function authorizeQuestion(
  caller: Caller,
  body: CheckBody | BatchItem,
  origin: Origin,
): Question {
  const options = optionsOf(body);
  const tenant = tenantOf(caller, body);
  const check: Check = {
    tenant,
    subject: subjectOf(required(body.subject, '/subject', 'whom the check is about')),
    action: actionOf(body.action),
    resource: resourceOf(body.resource),
    context: body.context ?? {},
  };
  refuseForeignSubjects(caller, check, options);
  if (options.openApproval) refuseOpening(caller, check);
  const { requestId, ip } = origin;
  return { check, requested: check, options, caller, requestId, ip };
}

const NO_OPTIONS: CheckOptions = { explain: false, dryRun: false, openApproval: false };

function optionsOf(body: CheckBody | BatchItem): CheckOptions {
  const { explain, dry_run, approval } = body;
  if (explain === undefined && dry_run === undefined && approval === undefined) return NO_OPTIONS;
  const options = {
    explain: explain ?? false,
    dryRun: dry_run ?? false,
    openApproval: approval === 'request',
  };
  if (options.dryRun && options.openApproval) {
    throw new InvalidRequest('a dry run touches nothing: it cannot open an approval', [
      { path: '/approval', message: 'cannot be combined with `dry_run`; leave one of them out' },
    ]);
  }
  return options;
}

function tenantOf(caller: Caller, body: CheckBody | BatchItem): string {
  const tenant = required(
    body.tenant ?? caller.tenant,
    '/tenant',
    'the tenant: this credential is not bound to one',
  );
  if (caller.tenant !== undefined && caller.tenant !== tenant) {
    throw new Forbidden(`this credential may not be used in the tenant \`${tenant}\``);
  }
  return tenant;
}

function required<Value>(value: Value | undefined, path: string, what: string): Value {
  if (value !== undefined) return value;
  throw new InvalidRequest('the check is not complete', [
    { path, message: `is missing; say ${what}` },
  ]);
}

/**
 * Asking about others needs the permission `check`. A user may ask about itself with less: its own
 * properties then come from the store alone, and the trace stays closed.
 */
function refuseForeignSubjects(caller: Caller, check: Check, options: CheckOptions): void {
  if (permits(caller, 'check', check.tenant)) return;
  if (options.dryRun && permits(caller, 'check:dry_run', check.tenant)) return;
  const { subject } = check;
  if (caller.user === undefined || subject.type !== 'user' || subject.id !== caller.user) {
    throw new Forbidden(
      `this credential may not ask about others in the tenant \`${check.tenant}\`; it needs the permission \`check\``,
    );
  }
  if (Object.keys(subject.properties).length > 0) {
    throw new InvalidRequest('a user may not state its own properties', [
      { path: '/subject/properties', message: 'is taken from the store; leave it out' },
    ]);
  }
  if (options.explain) throw new Forbidden('this credential may not see the trace of a decision');
}

function refuseOpening(caller: Caller, { tenant, subject }: Check): void {
  if (permits(caller, 'approvals:open', tenant)) return;
  if (caller.user !== undefined && subject.type === 'user' && subject.id === caller.user) return;
  throw new Forbidden(
    `this credential may not open approvals in the tenant \`${tenant}\`; it needs the permission \`approvals:open\``,
  );
}
