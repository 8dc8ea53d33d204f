import { readFileSync } from 'node:fs';
import { newEnforcer, newModelFromString, type Enforcer } from 'casbin';
import type { Engine } from '../../src/engine/engine.js';
import { parseModel, type Model, type ModelOptions } from '../../src/engine/model.js';
import { createReferenceEngine } from '../../src/engine/reference-engine.js';
import type { Check, JsonObject, RuleLine } from '../../src/vocabulary.js';

/** A model that must have no faults. */
export function modelOf(text: string, options?: ModelOptions): Model {
  const parsed = parseModel(text, options);
  if ('faults' in parsed) {
    throw new Error(JSON.stringify(parsed.faults, null, 2));
  }
  return parsed.model;
}

/** The messages of a model that must have faults, each as `line:column: message`. */
export function faultsOf(text: string, options?: ModelOptions): string[] {
  const parsed = parseModel(text, options);
  return 'faults' in parsed
    ? parsed.faults.map((fault) => `${fault.line}:${fault.column}: ${fault.message}`)
    : [];
}

export function shippedModel(name: string): string {
  return readFileSync(new URL(`../../models/${name}.conf`, import.meta.url), 'utf8');
}

export interface ModelParts {
  readonly r?: string;
  readonly p?: string;
  readonly g?: readonly string[];
  readonly e?: string;
  readonly m?: string;
}

/** The text of a model; a plain ACL but for what is given. The matcher starts at line 14, column 5. */
export function modelText(parts: ModelParts = {}): string {
  return `[request_definition]
r = ${parts.r ?? 'sub, obj, act'}

[policy_definition]
p = ${parts.p ?? 'sub, obj, act'}

[policy_effect]
e = ${parts.e ?? 'some(where (p.eft == allow))'}

[role_definition]
${(parts.g ?? ['_, _']).map((value, i) => `g${i === 0 ? '' : i + 1} = ${value}`).join(' \n')}

[matchers]
m = ${parts.m ?? 'g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act'}
`;
}

export interface CheckParts {
  readonly tenant?: string;
  readonly sub?: string;
  readonly type?: string;
  readonly act?: string;
  /** `type:id` */
  readonly obj?: string;
  readonly subject?: JsonObject;
  readonly action?: JsonObject;
  readonly resource?: JsonObject;
  readonly context?: JsonObject;
}

export function checkOf(parts: CheckParts = {}): Check {
  const [type = '', ...id] = (parts.obj ?? 'document:1').split(':');
  return {
    tenant: parts.tenant ?? 'acme',
    subject: {
      type: parts.type ?? 'user',
      id: parts.sub ?? 'alice',
      properties: parts.subject ?? {},
    },
    action: { name: parts.act ?? 'read', properties: parts.action ?? {} },
    resource: { type, id: id.join(':'), properties: parts.resource ?? {} },
    context: parts.context ?? {},
  };
}

export function engineOf(text: string, rules: readonly RuleLine[], options?: ModelOptions): Engine {
  return createReferenceEngine(modelOf(text, options), rules);
}

/** A stock node-casbin with rules in this order, loaded as its adapters load it. */
export async function stockEnforcer(text: string, rules: readonly RuleLine[]): Promise<Enforcer> {
  const model = newModelFromString(text);
  return newEnforcer(model, {
    async loadPolicy(target: typeof model) {
      for (const [ptype, ...values] of rules) {
        target.model.get(ptype.charAt(0))?.get(ptype)?.policy.push(values);
      }
    },
    async savePolicy() {
      return false;
    },
    async addPolicy() {},
    async removePolicy() {},
    async removeFilteredPolicy() {},
  });
}
