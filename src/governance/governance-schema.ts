import { type TSchema, Type } from '@sinclair/typebox';
import { GOVERNANCE_KINDS, type GovernanceKind } from '../vocabulary.js';
import { approvalRequired } from './approval-required.js';
import { rateLimit } from './rate-limit.js';
import { requireComment } from './require-comment.js';
import { CLOSED, nameSchema, patternsSchema } from './schema-parts.js';
import { timeWindow } from './time-window.js';

/** The kinds of rule, each an object of the same shape. */
export const KINDS = {
  'time-window': timeWindow,
  'require-comment': requireComment,
  'approval-required': approvalRequired,
  'rate-limit': rateLimit,
} as const satisfies Record<GovernanceKind, { readonly kind: GovernanceKind }>;

const tenantPattern = Type.String({
  pattern: '^[a-z0-9*][a-z0-9_*-]{0,62}$',
  patternErrorMessage: 'expected a tenant such as `acme`, with `*` for any run of characters',
});

/** Every resource has a `:`; a pattern with neither that nor a `*` would fit none. */
const resourcePattern = nameSchema({
  allOf: [
    {
      pattern: '^$|[:*]',
      patternErrorMessage:
        'expected a resource as `type:id`, or `type:*` for every one of that type',
    },
  ],
});

const match = Type.Object(
  {
    tenants: Type.Optional(patternsSchema('The tenant of the check.', tenantPattern)),
    subjects: Type.Optional(
      patternsSchema('The subject as `type:id`; without a `:`, the id of a user.'),
    ),
    roles: Type.Optional(
      patternsSchema("The subject's roles in the tenant, inherited ones too; one must fit."),
    ),
    actions: Type.Optional(patternsSchema('The name of the action.')),
    resources: Type.Optional(patternsSchema('The resource as `type:id`.', resourcePattern)),
  },
  {
    ...CLOSED,
    description: 'Which checks the rule speaks of: all given members must fit; all where left out.',
  },
);

/** The schema of the rules of one kind. */
function ruleSchema(kind: GovernanceKind): TSchema {
  return Type.Object(
    {
      id: nameSchema({ description: 'Unique in the bundle; named by decisions and counters.' }),
      description: Type.Optional(Type.String({ maxLength: 2_000, description: 'For people.' })),
      kind: Type.Literal(kind),
      match: Type.Optional(match),
      when: Type.Optional(
        Type.String({
          minLength: 1,
          description:
            'A CEL expression over subject, action, resource, context, tenant, roles and now; the rule applies where it is true, or cannot be evaluated.',
        }),
      ),
      ...KINDS[kind].members,
    },
    CLOSED,
  );
}

/** The schema of the members that only rules of one kind have, whatever else a rule says. */
export function termsSchema(kind: GovernanceKind): TSchema {
  return Type.Object({ ...KINDS[kind].members });
}

/** The schema of one rule, of whatever kind. */
export const anyRuleSchema: TSchema = Type.Unsafe({
  type: 'object',
  discriminator: { propertyName: 'kind' },
  required: ['kind'],
  oneOf: GOVERNANCE_KINDS.map(ruleSchema),
});

/** The JSON Schema of a governance file. */
export const governanceFileSchema: TSchema = Type.Object(
  {
    rules: Type.Array(anyRuleSchema, { description: 'Each can only narrow what Casbin allows.' }),
  },
  { ...CLOSED, $id: 'governance.schema.json', title: 'Countersign governance rules' },
);
