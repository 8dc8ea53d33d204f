import { v7 as uuidv7 } from 'uuid';
import type { AuditEvent } from './event.js';
import { maskSecretText, redact } from './redact.js';

/** What an event gets when it is taken. */
export interface Stamp {
  /** Milliseconds since the epoch, for events that do not say when. */
  readonly now: number;
  /** Paths to mask in `detail.check`. */
  readonly redactPaths: readonly string[];
}

/** An id for an event: `evt_` and a UUID of version 7, so that ids grow with time. */
export function newEventId(): string {
  return `evt_${uuidv7().replaceAll('-', '')}`;
}

/**
 * The event as the JSON text of its row in `audit_events`: stamped, its secrets masked, and holding
 * nothing that Postgres refuses. Being text, it is what it was, whatever becomes of the event.
 */
export function eventRow(event: AuditEvent, { now, redactPaths }: Stamp): string {
  const row = {
    id: event.id ?? newEventId(),
    at: (event.at ?? new Date(now)).toISOString(),
    tenant: event.tenant,
    kind: event.kind,
    actor: maskSecretText(event.actor),
    subject: maskedText(event.subject),
    action: maskedText(event.action),
    resource: maskedText(event.resource),
    decision: event.decision,
    reason: event.reason,
    rules: event.rules,
    revision: event.revision,
    bundle: event.bundle,
    commit: event.commit,
    request_id: maskedText(event.requestId),
    approval_id: event.approvalId,
    ip: event.ip,
    detail: event.detail === undefined ? undefined : redact(event.detail, redactPaths),
  };
  return storableJson(JSON.stringify(row));
}

/** `row` without whatever made Postgres refuse it, which is told in its place. */
export function bareRow(row: string, refusal: string): string {
  const kept = JSON.stringify(JSON.parse(row), ['id', 'at', 'tenant', 'kind', 'actor']);
  return `${kept.slice(0, -1)},"detail":${JSON.stringify({ unstorable: refusal })}}`;
}

/**
 * JSON that Postgres takes as `jsonb` and `text`: NUL and lone surrogates, which it refuses, become
 * the six characters of their escape (`\u0000`), visible and harmless.
 */
export function storableJson(json: string): string {
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return json;
  // Every escape is taken whole, so that the second half of `\\` never counts as the start of one.
  return json.replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/g, (escape) =>
    /^\\u(?:0000|d)/.test(escape) ? `\\${escape}` : escape,
  );
}

function maskedText(text: string | undefined): string | undefined {
  return text === undefined ? undefined : maskSecretText(text);
}
