import { type TSchema, type TUnsafe, Type } from '@sinclair/typebox';

/** One of a few words. */
export function literals<const Words extends readonly string[]>(
  words: Words,
): TUnsafe<Words[number]> {
  return Type.Unsafe<Words[number]>({ type: 'string', enum: [...words] });
}

/** A tenant's name. */
export const tenantName = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' });

/** An id that is neither a tenant's nor a type's: compared exactly. */
export const id = Type.String({
  minLength: 1,
  maxLength: 512,
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
});

/** The part of a list's query that every list has. */
export const page = {
  after: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: '`next` of the page before.' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
};

/** A page of a list as it is answered. */
export function listOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], {
      description: 'Pass it as `after` for the next page; null at the end.',
    }),
  });
}

/** A value that a list is narrowed by; a type and an id fit into it. */
export const shortText = Type.String({ minLength: 1, maxLength: 1_024 });

/** A date and time of RFC 3339. */
export const timestamp = Type.String({
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2})$',
  patternErrorMessage: 'expected a date and time such as `2026-03-30T10:00:00Z`',
  description: 'RFC 3339, with its offset.',
});

/** Whether a text holds a control character, which no id or name may. */
export function holdsControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
