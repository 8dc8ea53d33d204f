import { parseYaml } from '../platform/yaml.js';
import type { GovernanceKind, JsonObject, JsonValue, RuleLine } from '../vocabulary.js';
import { BUNDLE_FILE } from './bundle-settings.js';
import { filesOf } from './compile-definition.js';
import type { BundleFiles, BundleRule, CompiledBundle } from './compiled-bundle.js';
import { type MemberChange, memberChanges } from './member-changes.js';
import { tenantOf } from './rule-tenant.js';

/** A bundle without faults, with the files that it was compiled from. */
export interface DiffedBundle {
  readonly bundle: CompiledBundle;
  readonly files: BundleFiles;
}

/** A governance rule that only one of two bundles has. */
export interface NamedGovernanceRule {
  readonly id: string;
  readonly kind: GovernanceKind;
  /** As its author wrote it. */
  readonly rule: JsonObject;
}

/** A governance rule that two bundles have, and not alike. */
export interface ChangedGovernanceRule {
  readonly id: string;
  readonly kind: GovernanceKind;
  readonly members: readonly MemberChange[];
}

/** What changes for one tenant; `tenant` is null for what holds in several or all of them. */
export interface TenantDiff {
  readonly tenant: string | null;
  readonly rules: { readonly added: readonly RuleLine[]; readonly removed: readonly RuleLine[] };
  readonly governance: {
    readonly added: readonly NamedGovernanceRule[];
    readonly removed: readonly NamedGovernanceRule[];
    readonly changed: readonly ChangedGovernanceRule[];
  };
}

/** What changes from one bundle to another. */
export interface BundleDiff {
  /** Whether nothing does that a decision could show. */
  readonly isEmpty: boolean;
  /** Members of `bundle.yaml`, but for `model`. */
  readonly settings: readonly MemberChange[];
  /** Whether the model's text changes, be it another model or the same one edited. */
  readonly model: { readonly before: string; readonly after: string } | undefined;
  /** Whether the rules that stay rank in another order. */
  readonly reordered: boolean;
  /** By tenant, what holds in several first; tenants that nothing changes for are left out. */
  readonly tenants: readonly TenantDiff[];
}

/**
 * What changes in rules and governance rules, by tenant. A governance rule that names several tenants
 * is listed under each. Without `before` everything is new.
 */
export function diffBundles(before: DiffedBundle | undefined, after: DiffedBundle): BundleDiff {
  const tenants = new TenantDiffs();
  const reordered = diffRules(before?.bundle, after.bundle, tenants);
  diffGovernance(before, after, tenants);
  const { model: _before, ...settingsBefore } = before ? bundleFile(before) : {};
  const { model: _after, ...settingsAfter } = bundleFile(after);
  const settings = memberChanges(settingsBefore, settingsAfter);
  const model = modelChange(before?.bundle, after.bundle);
  const listed = tenants.list();
  const isEmpty = listed.length + settings.length === 0 && !reordered && model === undefined;
  return { isEmpty, settings, model, reordered, tenants: listed };
}

type MutableDiff = {
  rules: { added: RuleLine[]; removed: RuleLine[] };
  governance: {
    added: NamedGovernanceRule[];
    removed: NamedGovernanceRule[];
    changed: ChangedGovernanceRule[];
  };
};

class TenantDiffs {
  readonly #byTenant = new Map<string, MutableDiff>();

  of(tenant: string | undefined): MutableDiff {
    const key = tenant ?? '';
    const known = this.#byTenant.get(key);
    if (known) return known;
    const made: MutableDiff = {
      rules: { added: [], removed: [] },
      governance: { added: [], removed: [], changed: [] },
    };
    this.#byTenant.set(key, made);
    return made;
  }

  list(): TenantDiff[] {
    const keys = [...this.#byTenant.keys()].sort();
    return keys.map((key) => ({ tenant: key === '' ? null : key, ...this.of(key) }));
  }
}

/** Puts the rules that come and go under their tenants; says whether those that stay move. */
function diffRules(
  before: CompiledBundle | undefined,
  after: CompiledBundle,
  tenants: TenantDiffs,
): boolean {
  const keysBefore = new Set(before?.rules.map(keyOf));
  const keysAfter = new Set(after.rules.map(keyOf));
  for (const rule of after.rules) {
    if (!keysBefore.has(keyOf(rule))) {
      tenants.of(tenantOf(after, rule.line)).rules.added.push(rule.line);
    }
  }
  if (before === undefined) return false;
  for (const rule of before.rules) {
    if (!keysAfter.has(keyOf(rule))) {
      tenants.of(tenantOf(before, rule.line)).rules.removed.push(rule.line);
    }
  }
  const stayedBefore = [...keysBefore].filter((key) => keysAfter.has(key));
  const stayedAfter = [...keysAfter].filter((key) => keysBefore.has(key));
  return stayedBefore.some((key, index) => key !== stayedAfter[index]);
}

function keyOf({ line }: BundleRule): string {
  return line.join('\0');
}

function diffGovernance(
  before: DiffedBundle | undefined,
  after: DiffedBundle,
  tenants: TenantDiffs,
): void {
  const rulesBefore = before ? writtenRules(before) : new Map<string, WrittenRule>();
  const rulesAfter = writtenRules(after);
  for (const [id, { kind, rule, tenants: named }] of rulesAfter) {
    const old = rulesBefore.get(id);
    if (old === undefined) {
      for (const tenant of named) tenants.of(tenant).governance.added.push({ id, kind, rule });
      continue;
    }
    const members = memberChanges(old.rule, rule);
    if (members.length === 0) continue;
    for (const tenant of new Set([...old.tenants, ...named])) {
      tenants.of(tenant).governance.changed.push({ id, kind, members });
    }
  }
  for (const [id, { kind, rule, tenants: named }] of rulesBefore) {
    if (rulesAfter.has(id)) continue;
    for (const tenant of named) tenants.of(tenant).governance.removed.push({ id, kind, rule });
  }
}

interface WrittenRule {
  readonly kind: GovernanceKind;
  readonly rule: JsonObject;
  /** The tenants that it names; undefined among them where it speaks of others too. */
  readonly tenants: readonly (string | undefined)[];
}

/** The governance rules of a bundle as their authors wrote them, by id. */
function writtenRules({ bundle, files }: DiffedBundle): Map<string, WrittenRule> {
  const written = new Map<JsonValue | undefined, JsonObject>();
  for (const [, text] of filesOf(files, 'governance')) {
    const { rules } = objectOf(text);
    for (const rule of Array.isArray(rules) ? rules : []) {
      if (isObject(rule)) written.set(rule['id'], rule);
    }
  }
  return new Map(
    bundle.governance.map(({ id, kind, match }) => {
      const named = match.tenants ?? ['*'];
      const tenants = named.some((tenant) => tenant.includes('*')) ? [undefined] : named;
      return [id, { kind, rule: written.get(id) ?? {}, tenants }];
    }),
  );
}

function bundleFile({ files }: DiffedBundle): JsonObject {
  return objectOf(files.get(BUNDLE_FILE) ?? '');
}

function objectOf(text: string): JsonObject {
  const value = parseYaml(text).document?.value as JsonValue | undefined;
  return isObject(value) ? value : {};
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function modelChange(
  before: CompiledBundle | undefined,
  after: CompiledBundle,
): BundleDiff['model'] {
  if (before === undefined || before.model.text === after.model.text) return undefined;
  return { before: before.modelName, after: after.modelName };
}
