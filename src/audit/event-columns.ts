import { v7 as uuidv7 } from 'uuid';
import type { JsonObject } from '../vocabulary.js';
import { quoted, writeRules } from '../platform/write-rules.js';
import { askedOf, type CheckColumns, NOTHING } from './compact-check.js';
import type { RecordedEvent } from './event.js';
import { maskSecretText, MAY_BE_SECRET, redact } from './redact.js';

/**
 * An event as the texts of its columns: its secrets masked, and holding nothing that Postgres refuses.
 * `rules`, `asked` and `detail` are JSON, `at` is ISO 8601.
 */
export interface EventColumns {
  readonly id: string;
  readonly at: string;
  readonly tenant: string | null;
  readonly kind: string;
  readonly actor: string;
  readonly subject: string | null;
  readonly action: string | null;
  readonly resource: string | null;
  readonly decision: string | null;
  readonly reason: string | null;
  readonly rules: string | null;
  readonly revision: number | null;
  readonly bundle: number | null;
  readonly commit: string | null;
  readonly request_id: string | null;
  readonly approval_id: string | null;
  readonly ip: string | null;
  readonly asked: string | null;
  readonly detail: string | null;
}

/** An id for an event: `evt_` and a UUID of version 7, so that ids grow with time. */
function newEventId(): string {
  return `evt_${uuidv7().replaceAll('-', '')}`;
}

/** The columns of an event. */
export function columnsOf({ event, at, redactPaths }: RecordedEvent): EventColumns {
  const { tenant = null, subject = null, action = null, resource = null, rules } = event;
  const { requestId = null, commit = null, approvalId = null, ip = null, actor } = event;
  // One look at all texts together: hardly ever is there anything to do.
  const plain = isPlain(
    `${actor}\n${subject}\n${action}\n${resource}\n${requestId}\n${commit}\n${ip}`,
  );
  const shown = plain ? asItIs : shownText;
  const check = {
    tenant,
    subject: shown(subject),
    action: shown(action),
    resource: shown(resource),
  };
  const { asked, detail } = detailColumns(event.detail, check, redactPaths);
  return {
    id: event.id ?? newEventId(),
    at: isoTime(at),
    tenant,
    kind: event.kind,
    actor: shown(actor),
    subject: check.subject,
    action: check.action,
    resource: check.resource,
    decision: event.decision ?? null,
    reason: event.reason ?? null,
    rules: rules === undefined ? null : storableJson(writeRules(rules)),
    revision: event.revision ?? null,
    bundle: event.bundle ?? null,
    commit: shown(commit),
    request_id: shown(requestId),
    approval_id: approvalId,
    ip: shown(ip),
    asked,
    detail,
  };
}

/** What is kept, under `id`, of an event that cannot be stored whole, and why it cannot. */
export function bareColumns(
  { event, at }: RecordedEvent,
  id: string | undefined,
  refusal: string,
): EventColumns {
  const { tenant, kind, actor } = event;
  const detail = { unstorable: refusal };
  return columnsOf({ event: { id, tenant, kind, actor, detail }, at, redactPaths: [] });
}

/**
 * JSON text without the escapes that Postgres refuses, NUL and surrogates: they stand there as text.
 * `JSON.stringify` escapes those surrogates only that have no partner.
 */
export function storableJson(json: string): string {
  // Hardly any text has an escape at all.
  if (!json.includes('\\u') || !/\\u(?:0000|d[89a-f])/.test(json)) return json;
  // Every escape is taken whole, so that the second half of `\\` never counts as the start of one.
  return json.replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|[^])/g, (escape) =>
    /^\\u(?:0000|d)/.test(escape) ? `\\${escape}` : escape,
  );
}

/** How the detail of an event is stored: `asked` is null where its check is in `detail` as a whole. */
interface DetailColumns {
  readonly asked: string | null;
  readonly detail: string | null;
}

const NO_DETAIL: DetailColumns = { asked: null, detail: null };

function detailColumns(
  detail: JsonObject | undefined,
  columns: CheckColumns,
  redactPaths: readonly string[],
): DetailColumns {
  if (detail === undefined) return NO_DETAIL;
  const shown = redact(detail, redactPaths);
  const asked = askedOf(shown['check'], columns);
  if (asked === undefined) return { asked: null, detail: storableJson(JSON.stringify(shown)) };
  return {
    asked: asked === NOTHING ? '{}' : storableJson(JSON.stringify(asked)),
    detail: storableJson(jsonWithoutCheck(shown)),
  };
}

function jsonWithoutCheck(detail: JsonObject): string {
  let json = '';
  for (const name in detail) {
    if (name === 'check') continue;
    const value = detail[name];
    const written = typeof value === 'string' ? quoted(value) : JSON.stringify(value);
    json += `${json === '' ? '{' : ','}${quoted(name)}:${written}`;
  }
  return json === '' ? '{}' : `${json}}`;
}

let lastTime = Number.NaN;
let lastIso = '';

/** Events come many to a millisecond. */
function isoTime(at: number): string {
  if (at !== lastTime) {
    lastIso = new Date(at).toISOString();
    lastTime = at;
  }
  return lastIso;
}

function isPlain(texts: string): boolean {
  return !texts.includes('\0') && texts.isWellFormed() && !MAY_BE_SECRET.test(texts);
}

function asItIs<Text extends string | null>(text: Text): Text | string {
  return text;
}

function shownText<Text extends string | null>(text: Text): Text | string {
  if (text === null) return text;
  const masked = maskSecretText(text);
  if (!masked.includes('\0') && masked.isWellFormed()) return masked;
  return masked.replace(
    /\0|\p{Surrogate}/gu,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
