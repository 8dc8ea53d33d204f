import { type Static, Type } from '@sinclair/typebox';
import { TENANT_PATTERN } from './tenant-id.js';

const path = (description: string) =>
  Type.String({
    description,
    pattern: '^[^\\s.]+(\\.[^\\s.]+)*$',
    patternErrorMessage: 'expected a path such as `context.card`',
  });

/** Where audit events may mask: members of a check that can exist. */
const redactedPath = Type.String({
  description: 'A path of the check that audit events mask, such as `context.card`.',
  pattern:
    '^((context|(subject|action|resource)\\.properties)(\\.[^\\s.]+)+|(subject|resource)\\.(type|id|properties)|action\\.(name|properties))$',
  patternErrorMessage:
    'expected a member of the check, such as `context.card`, `subject.properties.phone` or `resource.properties.iban`',
});

/** The schema of `bundle.yaml`, for the server and for editors. */
export const BundleSchema = Type.Object(
  {
    name: Type.String({
      description: 'A label; shown wherever the bundle is named.',
      minLength: 1,
      maxLength: 200,
    }),
    model: Type.String({
      description:
        'The Casbin model: a name, looked for as `models/NAME.conf` in the bundle, beside it, and among those that ship with the server; or the path of a `.conf` file in the bundle.',
      minLength: 1,
      maxLength: 512,
    }),
    request: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }),
        path('Where the value comes from, such as `resource.properties.environment`.'),
        {
          additionalProperties: false,
          description: "Fills tokens of the model's request definition from paths of the check.",
        },
      ),
    ),
    role_patterns: Type.Optional(
      Type.Record(Type.String({ pattern: '^g[0-9]*$' }), Type.String({ minLength: 1 }), {
        additionalProperties: false,
        description: "Names Casbin's matching function for a kind of role relation.",
      }),
    ),
    tenants: Type.Optional(
      Type.Array(
        Type.String({
          pattern: TENANT_PATTERN,
          patternErrorMessage:
            'expected a tenant: 1 to 63 of `a-z`, `0-9`, `_`, `-`, a letter or digit first',
        }),
        {
          description: 'The tenants that the bundle serves; needed where the model has no `dom`.',
          minItems: 1,
          uniqueItems: true,
        },
      ),
    ),
    shared_rules: Type.Optional(
      Type.Boolean({
        description: 'Lets several tenants share the rules of a model without `dom`.',
      }),
    ),
    roles_as_subjects: Type.Optional(
      Type.Boolean({
        description: 'Lets a check name a role as its subject; such checks are denied without it.',
      }),
    ),
    audit: Type.Optional(
      Type.Object(
        {
          redact: Type.Array(redactedPath, { uniqueItems: true }),
        },
        { additionalProperties: false, description: 'What audit events must not show.' },
      ),
    ),
    approval: Type.Optional(
      Type.Object(
        {
          bind: Type.Array(
            path('A path of the context, such as `context.ticket`; not the comment.'),
            {
              uniqueItems: true,
            },
          ),
        },
        { additionalProperties: false, description: 'What every approval is bound to besides.' },
      ),
    ),
  },
  { $id: 'bundle.schema.json', title: 'Countersign bundle', additionalProperties: false },
);

/** `bundle.yaml` as written. */
export type BundleDocument = Static<typeof BundleSchema>;
