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
  /** `approval.bind` of the bundle: paths within `context` (`ticket.id`), bound in any case. */
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
      bind: sortedPaths(question.bind),
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

/** Paths as a set: their order and repetition mean nothing. */
export function sortedPaths(paths: readonly string[]): string[] {
  return [...new Set(paths)].sort();
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

/** The values with the names asked for: what is looked at is bound too, not only what is found. */
function pick(object: JsonObject, members: readonly string[] | '*'): JsonObject {
  if (members === '*') return { members, values: object };
  return {
    members: [...members].sort(),
    values: Object.fromEntries(Object.entries(object).filter(([name]) => members.includes(name))),
  };
}

function withoutComment(context: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(context).filter(([member]) => member !== 'comment'));
}

/** Lists of a path and all that it leads to; nothing where it leads nowhere, so as to differ from null. */
function boundPaths(context: JsonObject, paths: readonly string[]): JsonValue {
  return sortedPaths(paths).map((path) => [path, ...valuesAt(context, path.split('.'), [])]);
}

/**
 * The values at a path, each with the members that lead there: a member's own name may hold dots.
 * Where a path meets something else than an object on its way, all of that is bound: rather too much
 * than a member that nobody looked at.
 */
function valuesAt(
  value: JsonValue,
  path: readonly string[],
  trail: readonly string[],
): readonly JsonValue[] {
  if (path.length === 0 || !isObject(value)) return [[trail, value]];
  return path.flatMap((_, index) => {
    const member = path.slice(0, index + 1).join('.');
    const inner = Object.hasOwn(value, member) ? value[member] : undefined;
    return inner === undefined ? [] : valuesAt(inner, path.slice(index + 1), [...trail, member]);
  });
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function digest(value: JsonObject): string {
  return sha256Hex(canonicalJson(value));
}
