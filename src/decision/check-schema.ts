import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { InvalidRequest } from '../errors.js';
import { plainJsonFaults } from '../platform/json.js';
import { compileSchema } from '../platform/schema.js';
import type { Action, JsonObject, Resource, Subject } from '../vocabulary.js';

/** Checks in one `POST /check/batch` at most. */
export const MAX_BATCH = 1_000;

const TYPE = '[A-Za-z][A-Za-z0-9_.-]{0,63}';
/** Anything but control characters. */
const ID = '[^\\u0000-\\u001f\\u007f-\\u009f]';

const properties = Type.Unsafe<JsonObject>({ type: 'object' });

const idText = {
  minLength: 1,
  maxLength: 512,
  pattern: `^${ID}*$`,
  patternErrorMessage: 'expected an id without control characters',
};
const id = Type.String(idText);
const typeName = Type.String({
  pattern: `^${TYPE}$`,
  patternErrorMessage: 'expected a type: a letter, then up to 63 of letters, digits, `_`, `.`, `-`',
});
const tenant = Type.String({
  pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
  patternErrorMessage: 'expected a tenant: up to 63 of lower-case letters, digits, `_`, `-`',
  description: 'May be left out where the credential belongs to one tenant.',
});

/**
 * A string or the full object. Each keyword speaks of one of the two types only, so that a fault is
 * told of the one that the caller meant.
 */
function shorthandFor<Full extends TSchema>(text: object, full: Full, description: string) {
  const { type: _, ...members } = full;
  return Type.Unsafe<string | Static<Full>>({
    type: ['string', 'object'],
    description,
    ...text,
    ...members,
  });
}

const subject = shorthandFor(
  idText,
  Type.Object(
    { type: Type.Optional(typeName), id, properties: Type.Optional(properties) },
    { additionalProperties: false },
  ),
  'Who wants to act: the id of a user, or `{type, id, properties}`.',
);

const action = shorthandFor(
  idText,
  Type.Object({ name: id, properties: Type.Optional(properties) }, { additionalProperties: false }),
  'What the subject wants to do: its name, or `{name, properties}`.',
);

const resource = shorthandFor(
  {
    pattern: `^${TYPE}:${ID}{1,512}$`,
    patternErrorMessage: 'expected a resource as `type:id`',
  },
  Type.Object(
    { type: typeName, id, properties: Type.Optional(properties) },
    { additionalProperties: false },
  ),
  'What it is about: `type:id`, or `{type, id, properties}`.',
);

/** What a check and an item of a batch have in common. */
const question = {
  tenant: Type.Optional(tenant),
  subject: Type.Optional(subject),
  action,
  resource,
  context: Type.Optional(properties),
  explain: Type.Optional(Type.Boolean({ description: 'Send the trace along.' })),
  dry_run: Type.Optional(
    Type.Boolean({
      description: 'Answer as a real check would, touching no quota, grant or approval.',
    }),
  ),
  approval: Type.Optional(
    Type.Literal('request', {
      description: 'Where the answer would be `approval_required`, open the request.',
    }),
  ),
};

const minRevision = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The answer must be at least this fresh.',
  }),
);

/** The body of `POST /check`. */
export const CheckBody = Type.Object(
  { ...question, min_revision: minRevision },
  { additionalProperties: false, $id: 'Check' },
);
export type CheckBody = Static<typeof CheckBody>;

/** One item of `POST /check/batch`, the defaults filled in. */
export const BatchItem = Type.Object(question, { additionalProperties: false, $id: 'BatchItem' });
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
  const odd = plainJsonFaults(item);
  if (odd.length > 0) throw new InvalidRequest('the check holds what is refused', odd);
  const merged =
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? { ...defaults, ...item }
      : item;
  return parse<BatchItem>(merged, itemFaults, 'the check is not valid');
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
