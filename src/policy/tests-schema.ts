import { type Static, Type } from '@sinclair/typebox';
import { checkMembers, minRevision } from '../check-members.js';
import { REASONS, type DecisionWord, type JsonObject, type Reason } from '../vocabulary.js';

/** A fixed clock as it is written. */
export const InstantSchema = Type.String({
  description: 'A fixed clock, such as `2026-03-30T10:00:00Z`.',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,3})?)?(Z|[+-]\\d{2}:\\d{2})$',
  patternErrorMessage: 'expected a time with its zone, such as `2026-03-30T10:00:00Z`',
});

const words = <Word extends string>(values: readonly Word[], description: string) =>
  Type.Unsafe<Word>({ type: 'string', enum: [...values], description });

const decisions = Object.keys(REASONS) as DecisionWord[];
const reasons: readonly Reason[] = Object.values(REASONS).flat();

/** What a test expects, as it is written. */
export const ExpectSchema = Type.Object(
  {
    decision: words(decisions, 'The decision that the check must get.'),
    reason: Type.Optional(words(reasons, 'The reason, where it matters.')),
  },
  { additionalProperties: false },
);

/** Nobody asks in a test: what a credential may leave out must be said. */
const { tenant, subject, ...members } = checkMembers;
const check = Type.Unsafe<JsonObject>(
  Type.Composite(
    [
      Type.Required(Type.Object({ tenant, subject })),
      Type.Object({ ...members, min_revision: minRevision }),
    ],
    { additionalProperties: false, description: 'A check as it is posted to `/check`.' },
  ),
);

/** The schema of a test file, for the server and for editors. */
export const TestsSchema = Type.Object(
  {
    now: Type.Optional(InstantSchema),
    tests: Type.Array(
      Type.Object(
        {
          name: Type.String({ description: 'What must hold, as a sentence.', minLength: 1 }),
          now: Type.Optional(InstantSchema),
          check,
          expect: ExpectSchema,
        },
        { additionalProperties: false },
      ),
    ),
  },
  {
    $id: 'tests.schema.json',
    title: 'Countersign bundle tests',
    additionalProperties: false,
  },
);

/** A test file as written. */
export type TestsDocument = Static<typeof TestsSchema>;
