import { type Static, Type } from '@sinclair/typebox';
import { checkMembers, minRevision } from '../check-members.js';
import { InvalidRequest } from '../errors.js';
import { isPlainJson, plainJsonFaults } from '../platform/json.js';
import { compileSchema } from '../platform/schema.js';
import type { Action, Resource, Subject } from '../vocabulary.js';

/** Checks in one `POST /check/batch` at most. */
export const MAX_BATCH = 1_000;

/** The body of `POST /check`. */
export const CheckBody = Type.Object(
  { ...checkMembers, min_revision: minRevision },
  { additionalProperties: false, $id: 'Check' },
);
export type CheckBody = Static<typeof CheckBody>;

/** One item of `POST /check/batch`, the defaults filled in. */
export const BatchItem = Type.Object(checkMembers, {
  additionalProperties: false,
  $id: 'BatchItem',
});
export type BatchItem = Static<typeof BatchItem>;

/** The body of `POST /check/batch`. Items are validated one by one: a bad one spoils no other. */
export const BatchBody = Type.Object(
  {
    checks: Type.Array(Type.Unknown(), { maxItems: MAX_BATCH }),
    defaults: Type.Optional(
      Type.Partial(BatchItem, { additionalProperties: false, $id: 'BatchDefaults' }),
    ),
    min_revision: minRevision,
  },
  { additionalProperties: false, $id: 'CheckBatch' },
);
export type BatchBody = Static<typeof BatchBody>;

const checkFaults = compileSchema(CheckBody);
const itemFaults = compileSchema(BatchItem);
const batchFaults = compileSchema(BatchBody);

/** Compiles the schemas, which nobody's first check should wait for. */
export function readySchemas(): void {
  for (const faultsOf of [checkFaults, itemFaults, batchFaults]) faultsOf(undefined);
}

/** The body as a check. Throws InvalidRequest with every fault. */
export function parseCheckBody(body: unknown): CheckBody {
  return parse<CheckBody>(body, checkFaults, 'the check is not valid');
}

/** The body as a batch, its items still as sent. Throws InvalidRequest with every fault. */
export function parseBatchBody(body: unknown): BatchBody {
  return parse<BatchBody>(body, batchFaults, 'the batch is not valid');
}

/** One item with its defaults; an item's member replaces the default's whole. Throws InvalidRequest. */
export function parseBatchItem(item: unknown, defaults: BatchBody['defaults']): BatchItem {
  if (!isPlainJson(item)) {
    throw new InvalidRequest('the check holds what is refused', plainJsonFaults(item));
  }
  const given = defaults === undefined ? item : withDefaults(item, defaults);
  return parse<BatchItem>(given, itemFaults, 'the check is not valid');
}

function withDefaults(item: unknown, defaults: object): unknown {
  const isObject = typeof item === 'object' && item !== null && !Array.isArray(item);
  return isObject ? { ...defaults, ...item } : item;
}

function parse<Body>(
  body: unknown,
  faultsOf: ReturnType<typeof compileSchema>,
  message: string,
): Body {
  const faults = faultsOf(body);
  if (faults.length > 0) throw new InvalidRequest(message, faults);
  return body as Body;
}

/** The subject in full; a string is the id of a user. */
export function subjectOf(given: NonNullable<CheckBody['subject']>): Subject {
  if (typeof given === 'string') return { type: 'user', id: given, properties: {} };
  return { type: given.type ?? 'user', id: given.id, properties: given.properties ?? {} };
}

/** The action in full; a string is its name. */
export function actionOf(given: CheckBody['action']): Action {
  if (typeof given === 'string') return { name: given, properties: {} };
  return { name: given.name, properties: given.properties ?? {} };
}

/** The resource in full; a string splits at its first `:`. */
export function resourceOf(given: CheckBody['resource']): Resource {
  if (typeof given !== 'string') {
    return { type: given.type, id: given.id, properties: given.properties ?? {} };
  }
  const colon = given.indexOf(':');
  return { type: given.slice(0, colon), id: given.slice(colon + 1), properties: {} };
}
