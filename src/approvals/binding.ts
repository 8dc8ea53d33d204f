import type { ApprovalRequiredRule, ConditionReferences } from '../governance/governance-rule.js';
import { canonicalJson, sha256Hex } from '../platform/json.js';
import type { Check, JsonObject, JsonValue } from '../vocabulary.js';

/** A check for which approval-required rules ask for an approval. */
export interface ApprovalQuestion {
  /** As it was evaluated: stored properties merged in. */
  readonly check: Check;
  /** As the caller sent it. The same as `check` where nothing is stored. */
  readonly requested: Check;
  /** Every approval-required rule that applies, in bundle order; at least one. */
  readonly rules: readonly ApprovalRequiredRule[];
  /** `approval.bind` of the bundle: context paths, `ticket` or `context.ticket`, bound in any case. */
  readonly bind: readonly string[];
}

/** Digests (SHA-256, hex) by which a check finds its approval. */
export interface Binding {
  /** Over what was sent, but for the context: the same whatever the rules say. */
  readonly identity: string;
  /** Over everything that must be the same for a grant to fit. */
  readonly content: string;
  /** Over the set of rules and `approval.bind`: a grant lifts exactly those. */
  readonly terms: string;
}

/** What a question is bound to. */
export function bindQuestion(question: ApprovalQuestion): Binding {
  return {
    identity: digest(boundIdentity(question.requested)),
    content: contentDigest(question),
    terms: digest({
      rules: question.rules.map((rule) => `${rule.digest} ${rule.id}`).sort(),
      bind: [...new Set(question.bind)].sort(),
    }),
  };
}

/**
 * The digest of all that a grant is bound to: tenant, subject, action, resource; the properties as
 * sent; of the evaluated ones those that a rule's `when` names; of the context the members that
 * `when` names and the paths in `approval.bind`. The comment is never bound.
 */
export function contentDigest({ check, requested, rules, bind }: ApprovalQuestion): string {
  const named = (part: keyof ConditionReferences): readonly string[] | '*' =>
    joinReferences(rules.map((rule) => rule.when?.references[part] ?? []));
  return digest({
    ...boundIdentity(requested),
    evaluated: {
      subject: pick(check.subject.properties, named('subject')),
      action: pick(check.action.properties, named('action')),
      resource: pick(check.resource.properties, named('resource')),
    },
    context: pick(withoutComment(check.context), named('context')),
    bind: boundPaths(withoutComment(check.context), bind),
  });
}

function boundIdentity({ tenant, subject, action, resource }: Check): JsonObject {
  return {
    tenant,
    subject: { type: subject.type, id: subject.id, properties: subject.properties },
    action: { name: action.name, properties: action.properties },
    resource: { type: resource.type, id: resource.id, properties: resource.properties },
  };
}

function joinReferences(all: readonly (readonly string[] | '*')[]): readonly string[] | '*' {
  const members = new Set<string>();
  for (const references of all) {
    if (references === '*') return '*';
    for (const member of references) members.add(member);
  }
  return [...members];
}

function pick(object: JsonObject, members: readonly string[] | '*'): JsonObject {
  if (members === '*') return object;
  return Object.fromEntries(Object.entries(object).filter(([member]) => members.includes(member)));
}

function withoutComment(context: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(context).filter(([member]) => member !== 'comment'));
}

/** A list of `[path, value]`; a path that leads nowhere is left out, so that it differs from null. */
function boundPaths(context: JsonObject, paths: readonly string[]): JsonValue {
  return [...new Set(paths)].sort().flatMap((path) => {
    const found = valueAt(context, path.replace(/^context\./, '').split('.'));
    return found === undefined ? [] : [[path, found]];
  });
}

function valueAt(value: JsonValue, [member, ...rest]: readonly string[]): JsonValue | undefined {
  if (member === undefined) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if (!Object.hasOwn(value, member)) return undefined;
  const inner = (value as JsonObject)[member];
  return inner === undefined ? undefined : valueAt(inner, rest);
}

function digest(value: JsonObject): string {
  return sha256Hex(canonicalJson(value));
}
