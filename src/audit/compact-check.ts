import type { JsonObject, JsonValue } from '../vocabulary.js';

/** The columns of a row that tell most of its `detail.check`. */
export interface CheckColumns {
  readonly tenant: string | null;
  readonly subject: string | null;
  readonly action: string | null;
  readonly resource: string | null;
}

/**
 * What of a check the columns of its row do not tell, so that nothing is stored twice; empty for most
 * checks. Undefined where `check` is no check, or not the one of these columns: it is stored whole.
 * `checkOf` is the way back, and so is the SQL function `audit_check`.
 */
export function askedOf(
  check: JsonValue | undefined,
  columns: CheckColumns,
): JsonObject | undefined {
  if (!isObject(check) || Object.keys(check).length !== 5) return undefined;
  const { tenant, subject, action, resource, context } = check;
  if (tenant !== columns.tenant || !isObject(context)) return undefined;
  if (!isObject(subject) || !isObject(action) || !isObject(resource)) return undefined;
  const ofSubject = subjectRest(subject, columns.subject);
  const ofAction = restOf(action, 2, action['name'] === columns.action);
  const ofResource = restOf(resource, 3, tells(resource, columns.resource));
  if (ofSubject === undefined || ofAction === undefined || ofResource === undefined) {
    return undefined;
  }
  if (ofSubject === NOTHING && ofAction === NOTHING && ofResource === NOTHING && isEmpty(context)) {
    return NOTHING;
  }
  const asked: Record<string, JsonValue> = {};
  if (ofSubject !== NOTHING) asked['subject'] = ofSubject;
  if (ofAction !== NOTHING) asked['action'] = ofAction;
  if (ofResource !== NOTHING) asked['resource'] = ofResource;
  if (!isEmpty(context)) asked['context'] = context;
  return asked;
}

/** The check that `askedOf` made `asked` of. */
export function checkOf(asked: JsonObject, columns: CheckColumns): JsonObject {
  const { tenant, subject, action, resource } = columns;
  const split = (resource ?? '').indexOf(':');
  return {
    tenant,
    subject: { type: 'user', id: subject, properties: {}, ...objectIn(asked, 'subject') },
    action: { name: action, properties: {}, ...objectIn(asked, 'action') },
    resource: {
      type: (resource ?? '').slice(0, split),
      id: (resource ?? '').slice(split + 1),
      properties: {},
      ...objectIn(asked, 'resource'),
    },
    context: objectIn(asked, 'context'),
  };
}

/** Nothing that the columns do not tell; known by its identity. */
export const NOTHING: JsonObject = {};

/** Only users go by their bare ids: the column does not tell where the type of any other ends. */
function subjectRest(subject: JsonObject, column: string | null): JsonObject | undefined {
  const { type, id } = subject;
  if (type === 'user') return restOf(subject, 3, id === column);
  const rest = restOf(subject, 3, typeof type === 'string' && typeof id === 'string');
  return rest === undefined ? undefined : { type: type ?? null, id: id ?? null, ...rest };
}

function restOf(part: JsonObject, members: number, told: boolean): JsonObject | undefined {
  const { properties } = part;
  if (!told || !isObject(properties) || Object.keys(part).length !== members) return undefined;
  return isEmpty(properties) ? NOTHING : { properties };
}

function tells({ type, id }: JsonObject, key: string | null): boolean {
  if (typeof type !== 'string' || typeof id !== 'string' || key === null) return false;
  return (
    key.length === type.length + 1 + id.length &&
    key.charCodeAt(type.length) === 58 &&
    !type.includes(':') &&
    key.startsWith(type) &&
    key.endsWith(id)
  );
}

function objectIn(asked: JsonObject, member: string): JsonObject {
  const value = asked[member];
  return isObject(value) ? value : NOTHING;
}

function isEmpty(value: JsonObject): boolean {
  for (const _ in value) return false;
  return true;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
