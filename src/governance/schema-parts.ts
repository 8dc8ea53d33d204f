import { type TSchema, Type } from '@sinclair/typebox';

/** Objects of our files refuse members that they do not know. */
export const CLOSED = { additionalProperties: false } as const;

/** A span of time such as `90s`. */
export const durationSchema = (options: object = {}): TSchema =>
  Type.String({
    pattern: '^[1-9][0-9]{0,7}[smhd]$',
    patternErrorMessage: 'expected a duration such as `90s`, `15m`, `4h` or `7d`',
    ...options,
  });

/** A name: an id of any kind, or a pattern of ids. */
export const nameSchema = (options: object = {}): TSchema =>
  Type.String({
    pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]{1,512}$',
    patternErrorMessage: 'expected 1 to 512 characters without control characters',
    ...options,
  });

/** One pattern, or a list of which any may fit. */
export const patternsSchema = (description: string, pattern: TSchema = nameSchema()): TSchema =>
  Type.Union([pattern, Type.Array(pattern, { minItems: 1, uniqueItems: true })], {
    description,
    patternErrorMessage: 'expected a pattern or a list of patterns',
  });

/** Roles and users of whom any may decide; one of the two at least. */
export const approversSchema = (description: string): TSchema =>
  Type.Object(
    {
      roles: Type.Optional(
        Type.Array(nameSchema(), {
          minItems: 1,
          uniqueItems: true,
          description: 'Holders of any of these roles, of the tenant or of a credential.',
        }),
      ),
      users: Type.Optional(
        Type.Array(nameSchema(), {
          minItems: 1,
          uniqueItems: true,
          description: 'These users.',
        }),
      ),
    },
    { ...CLOSED, minProperties: 1, description },
  );
