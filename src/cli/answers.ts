import { type Static, type TSchema, Type } from '@sinclair/typebox';

/**
 * What the commands read of the server's answers. Members that a command does not show are not
 * named, so that a newer server may add some.
 */

const text = Type.Optional(Type.Union([Type.String(), Type.Null()]));

/** A problem document (RFC 9457). */
export const ProblemAnswer = Type.Object({
  title: Type.String(),
  status: Type.Number(),
  code: Type.String(),
  detail: Type.Optional(Type.String()),
  request_id: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
});
export type ProblemAnswer = Static<typeof ProblemAnswer>;

/** A place and what is wrong there, in a bundle. */
export const FaultAnswer = Type.Object({
  file: Type.String(),
  line: Type.Number(),
  column: Type.Number(),
  message: Type.String(),
});

export const RuleAnswer = Type.Object({
  kind: Type.String(),
  rule: Type.Optional(Type.Array(Type.String())),
  id: Type.Optional(Type.String()),
  outcome: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});

/** How a decision came about. */
export const TraceAnswer = Type.Object({
  roles: Type.Array(Type.String()),
  bundle: Type.Union([
    Type.Object({ number: Type.Number(), name: Type.String(), commit: text }),
    Type.Null(),
  ]),
  steps: Type.Array(Type.Object({ step: Type.String(), outcome: Type.String(), message: text })),
});
export type TraceAnswer = Static<typeof TraceAnswer>;

/** The answer of `POST /check`. */
export const DecisionAnswer = Type.Object({
  decision: Type.String(),
  allowed: Type.Boolean(),
  reason: Type.String(),
  message: text,
  rules: Type.Array(RuleAnswer),
  approval: Type.Optional(
    Type.Object({ id: Type.String(), status: Type.String(), expires_at: text }),
  ),
  rate_limit: Type.Optional(
    Type.Object({ limit: Type.Number(), remaining: Type.Number(), reset: Type.Number() }),
  ),
  retry_at: text,
  revision: Type.Number(),
  decision_id: Type.Optional(Type.String()),
  trace: Type.Optional(TraceAnswer),
});
export type DecisionAnswer = Static<typeof DecisionAnswer>;

/** The answer of `POST /v1/bundles` and of `POST /v1/bundles/:number/activate`. */
export const AppliedAnswer = Type.Object({
  bundle: Type.Number(),
  revision: Type.Number(),
  changes: Type.Optional(Type.Object({ added: Type.Number(), removed: Type.Number() })),
  warnings: Type.Optional(Type.Array(FaultAnswer)),
});
export type AppliedAnswer = Static<typeof AppliedAnswer>;

export const BundleAnswer = Type.Object({
  bundle: Type.Number(),
  revision: Type.Optional(Type.Number()),
  name: text,
  commit: text,
  author: text,
  at: text,
  active: Type.Optional(Type.Boolean()),
  previous: Type.Optional(Type.Number()),
});
export type BundleAnswer = Static<typeof BundleAnswer>;

export const BundleFilesAnswer = Type.Object({
  bundle: Type.Number(),
  files: Type.Record(Type.String(), Type.String()),
  model: Type.String(),
  /** As stored with the bundle, wherever it came from. */
  model_text: Type.String(),
});

export const KeyAnswer = Type.Object({
  id: Type.String(),
  name: text,
  tenant: text,
  user: text,
  roles: Type.Array(Type.String()),
  expires_at: text,
});

/** The answer of `POST /v1/keys`: the one time that the key is shown. */
export const NewKeyAnswer = Type.Intersect([KeyAnswer, Type.Object({ key: Type.String() })]);

export const ApprovalAnswer = Type.Object({
  id: Type.String(),
  tenant: Type.String(),
  status: Type.String(),
  requester: Type.String(),
  check: Type.Object({
    subject: Type.Object({ id: Type.String() }),
    action: Type.Object({ name: Type.String() }),
    resource: Type.Object({ type: Type.String(), id: Type.String() }),
  }),
  expires_at: text,
});
export type ApprovalAnswer = Static<typeof ApprovalAnswer>;

/** An answer of which nothing is read. */
export const AnyAnswer = Type.Unknown();

/** A page of a list; `next` is what the page after it is asked with. */
export const page = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Union([Type.String(), Type.Number(), Type.Null()]),
  });
