import { type Model, parseModel } from '../engine/model.js';
import type { BundleFault } from '../errors.js';
import { compileGovernanceFile } from '../governance/governance-file.js';
import type { GovernanceRule } from '../governance/governance-rule.js';
import type { YamlDocument } from '../platform/yaml.js';
import { compareBytes, type FileRole, roleOf } from './bundle-file-set.js';
import {
  BUNDLE_FILE,
  DEFAULT_SETTINGS,
  type ModelPart,
  readBundleFile,
  settingsOf,
} from './bundle-settings.js';
import type { BundleFiles, BundleSettings } from './compiled-bundle.js';
import { locateModel } from './locate-model.js';
import { governanceRoleFaults } from './role-use.js';

/** Where models are looked for besides the bundle, by name. */
export interface CompileOptions {
  readonly shippedModels: ReadonlyMap<string, string>;
}

/** All of a bundle but its rules and tests: what decides is these and the rules in force. */
export interface Definition {
  readonly name: string;
  /** The model as `bundle.yaml` names it. */
  readonly modelName: string;
  /** The path under which the model's faults are told. */
  readonly modelFile: string;
  readonly model: Model;
  readonly settings: BundleSettings;
  readonly governance: readonly GovernanceRule[];
}

/**
 * A definition, and everything that is wrong with it: where there are faults, what is there serves
 * to find more of them and for nothing else.
 */
export interface DefinitionReading {
  readonly definition: Definition | undefined;
  readonly faults: readonly BundleFault[];
  readonly warnings: readonly BundleFault[];
}

/** Compiles `bundle.yaml`, the model and the governance rules. */
export function compileDefinition(files: BundleFiles, options: CompileOptions): DefinitionReading {
  const { rules: governance, faults } = readGovernance(files);
  const read = readBundleFile(files);
  faults.push(...read.faults);
  if (!('places' in read) || read.modelPart === undefined) {
    return { definition: undefined, faults, warnings: [] };
  }
  const model = readModel(files, read.modelPart, read.places, options);
  if ('faults' in model) {
    return { definition: undefined, faults: faults.concat(model.faults), warnings: [] };
  }
  const { document } = read;
  const settings = document === undefined ? DEFAULT_SETTINGS : settingsOf(document);
  if (document !== undefined) faults.push(...tenantFaults(read.places, model.model, settings));
  faults.push(...governanceRoleFaults(governance, model.model));
  const { model: modelName } = read.modelPart;
  const name = document?.name ?? '';
  const { warnings, ...found } = model;
  return { definition: { name, modelName, ...found, settings, governance }, faults, warnings };
}

/** The files that a bundle has in one role, in the order in which they rank. */
export function filesOf(files: BundleFiles, role: FileRole): [path: string, text: string][] {
  return [...files]
    .filter(([path]) => roleOf(path) === role)
    .sort(([a], [b]) => compareBytes(a, b));
}

function readGovernance(files: BundleFiles): { rules: GovernanceRule[]; faults: BundleFault[] } {
  const rules: GovernanceRule[] = [];
  const faults: BundleFault[] = [];
  const first = new Map<string, GovernanceRule>();
  for (const [file, text] of filesOf(files, 'governance')) {
    const compiled = compileGovernanceFile(file, text);
    faults.push(...compiled.faults);
    for (const rule of compiled.rules) {
      const other = first.get(rule.id);
      rules.push(rule);
      if (other === undefined) first.set(rule.id, rule);
      else if (other.source.file !== file) {
        const place = `${other.source.file}:${other.source.line}`;
        const message = `the id \`${rule.id}\` is taken by ${place}; give each rule its own`;
        faults.push({ file, line: rule.source.line, column: 1, message });
      }
    }
  }
  return { rules, faults };
}

function readModel(
  files: BundleFiles,
  { model, request, role_patterns: rolePatterns }: ModelPart,
  places: YamlDocument,
  { shippedModels }: CompileOptions,
): { model: Model; modelFile: string; warnings: BundleFault[] } | { faults: BundleFault[] } {
  const located = locateModel(files, model, shippedModels);
  if ('message' in located) {
    return { faults: [{ file: BUNDLE_FILE, ...places.at('/model'), message: located.message }] };
  }
  const parsed = parseModel(located.text, {
    ...(request === undefined ? {} : { request }),
    ...(rolePatterns === undefined ? {} : { rolePatterns }),
  });
  if ('model' in parsed) {
    const { model: found, warnings } = parsed;
    const placed = warnings.map((warning) => ({ file: located.file, ...warning }));
    return { model: found, modelFile: located.file, warnings: placed };
  }
  return {
    faults: parsed.faults.map(({ option, ...fault }) =>
      option === undefined
        ? { file: located.file, ...fault }
        : { ...fault, file: BUNDLE_FILE, ...places.keyAt(option) },
    ),
  };
}

function tenantFaults(
  places: YamlDocument,
  model: Model,
  { tenants, sharedRules }: BundleSettings,
): BundleFault[] {
  if (model.hasDomain) return [];
  if (tenants === undefined) {
    const message = 'the model has no `dom`; list the tenants that it serves as `tenants`';
    return [{ file: BUNDLE_FILE, ...places.keyAt('/model'), message }];
  }
  if (tenants.length === 1 || sharedRules) return [];
  const message =
    'the model has no `dom`, so these tenants share every rule; add `shared_rules: true` or keep one tenant';
  return [{ file: BUNDLE_FILE, ...places.keyAt('/tenants'), message }];
}
