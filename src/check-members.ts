/**
 * The wire format of a check: its members as callers send them, and as tests of a bundle write them.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { JsonObject } from './vocabulary.js';

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

/** What a check, an item of a batch and the check of a bundle test have in common. */
export const checkMembers = {
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

/** How fresh the policy must be that a check is answered by. */
export const minRevision = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The answer must be at least this fresh.',
  }),
);
