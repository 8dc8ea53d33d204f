import type { Model } from '../engine/model.js';
import type { BundleFault } from '../errors.js';
import type { Approvers, GovernanceRule } from '../governance/governance-rule.js';
import type { Work } from '../platform/turns.js';
import { SYSTEM_ROLES } from '../identity/system-roles.js';
import type { BundleRule } from './compiled-bundle.js';

/** The roles that every tenant starts with. */
const DEFAULT_ROLES = [
  'owner',
  'admin',
  'provider',
  'client',
  'support',
  'read_only',
  'ops_rw',
  'approver',
] as const;

/**
 * A model without `g` gives nobody a role: rules that speak of roles would never hold as meant. System
 * roles may approve all the same, since credentials bring them.
 */
export function* governanceRoleFaults(
  rules: readonly GovernanceRule[],
  model: Model,
): Work<BundleFault[]> {
  const faults: BundleFault[] = [];
  if (model.roleTypes.has('g')) return faults;
  for (const rule of rules) {
    yield;
    for (const use of usesOfRoles(rule)) {
      const message = `\`${rule.id}\` uses roles (${use}), but the model has no \`g\`; remove it or use a model with roles`;
      faults.push(faultAt(rule, message));
    }
  }
  return faults;
}

/**
 * Warnings of roles that nothing known to the bundle gives: most often a slip of the pen, and a rule
 * that then speaks of nobody. Pauses after each rule.
 */
export function* unknownRoleWarnings(
  governance: readonly GovernanceRule[],
  rules: readonly BundleRule[],
  model: Model,
): Work<BundleFault[]> {
  const given = new Set<string>(DEFAULT_ROLES);
  // Admins may give the roles that the bundle only lays down: what `p` rules allow is for roles too.
  const roleFields = new Map([
    ['g', 2],
    ['p', model.policyTokens.indexOf('sub') + 1],
  ]);
  for (const { line } of rules) {
    yield;
    const role = line[roleFields.get(line[0]) ?? line.length];
    if (role !== undefined) given.add(role);
  }
  const deciding = new Set<string>([...given, ...SYSTEM_ROLES]);
  const warnings: BundleFault[] = [];
  for (const rule of governance) {
    yield;
    for (const role of unknown(approverRoles(rule), deciding)) {
      warnings.push(faultAt(rule, `no rule of the bundle knows the approver role \`${role}\``));
    }
    for (const role of unknown(subjectRoles(rule), given)) {
      warnings.push(faultAt(rule, `no rule of the bundle knows the role \`${role}\``));
    }
  }
  return warnings;
}

function usesOfRoles(rule: GovernanceRule): string[] {
  const uses: string[] = [];
  if (rule.match.roles !== undefined) uses.push('`match.roles`');
  if (rule.when !== undefined && readsRoles(rule.when.source)) uses.push('`roles` in `when`');
  if (rule.kind === 'rate-limit' && Object.keys(rule.rate.byRole).length > 0) {
    uses.push('`by_role`');
  }
  const system: ReadonlySet<string> = new Set(SYSTEM_ROLES);
  if (unknown(approverRoles(rule), system).length > 0) uses.push('`approvers`');
  return uses;
}

/** Whether a CEL expression reads the variable `roles`: not a member of that name, nor a text. */
function readsRoles(source: string): boolean {
  const withoutTexts = source.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
  return /(?<![\w.])roles\b/.test(withoutTexts);
}

function subjectRoles(rule: GovernanceRule): string[] {
  const byRole = rule.kind === 'rate-limit' ? Object.keys(rule.rate.byRole) : [];
  return [...(rule.match.roles ?? []), ...byRole].filter((role) => !role.includes('*'));
}

function approverRoles(rule: GovernanceRule): string[] {
  if (rule.kind !== 'approval-required') return [];
  const { stages, escalate } = rule.approval;
  const all: Approvers[] = stages.map((stage) => stage.approvers);
  if (escalate !== undefined) all.push(escalate.to);
  return all.flatMap((approvers) => [...approvers.roles]);
}

function unknown(roles: readonly string[], known: ReadonlySet<string>): string[] {
  return [...new Set(roles)].filter((role) => !known.has(role));
}

function faultAt({ source }: GovernanceRule, message: string): BundleFault {
  return { file: source.file, line: source.line, column: 1, message };
}
