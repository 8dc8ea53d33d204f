import { type Model, type ModelFault, type ModelOptions, parseModel } from '../engine/model.js';
import type { BundleFault } from '../errors.js';
import { compilingGovernanceFile } from '../governance/governance-file.js';
import type { GovernanceRule } from '../governance/governance-rule.js';
import type { Work } from '../platform/turns.js';
import { WideMap } from '../platform/wide-map.js';
import { pointerTo, type YamlDocument } from '../platform/yaml.js';
import { compareBytes, type FileRole, roleOf } from './bundle-file-set.js';
import {
  BUNDLE_FILE,
  type ReadBundleFile,
  readingBundleFile,
  settingsOf,
  standInFor,
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

/** Compiles `bundle.yaml`, the model and the governance rules; pauses after each of these. */
export function* compilingDefinition(
  files: BundleFiles,
  options: CompileOptions,
): Work<DefinitionReading> {
  const { rules: governance, faults } = yield* readGovernance(files);
  const read = yield* readingBundleFile(files);
  for (const fault of read.faults) faults.push(fault);
  const modelName = read.document?.model;
  if (!('places' in read) || modelName === undefined) {
    return { definition: undefined, faults, warnings: [] };
  }
  const { document, places } = read;
  const { faults: modelFaults, ...found } = readModel(files, modelName, read, options);
  faults.push(...modelFaults);
  const { model, modelFile, warnings } = found;
  if (model === undefined) return { definition: undefined, faults, warnings };
  const settings = settingsOf(document);
  faults.push(...tenantFaults(places, model, settings));
  for (const fault of yield* governanceRoleFaults(governance, model)) faults.push(fault);
  const { name = '' } = document;
  const definition = { name, modelName, modelFile, model, settings, governance };
  return { definition, faults, warnings };
}

/** The files that a bundle has in one role, in the order in which they rank. */
export function filesOf(files: BundleFiles, role: FileRole): [path: string, text: string][] {
  return [...files]
    .filter(([path]) => roleOf(path) === role)
    .sort(([a], [b]) => compareBytes(a, b));
}

function* readGovernance(
  files: BundleFiles,
): Work<{ rules: GovernanceRule[]; faults: BundleFault[] }> {
  const rules: GovernanceRule[] = [];
  const faults: BundleFault[] = [];
  const taken = new WideMap<string>();
  for (const [file, text] of filesOf(files, 'governance')) {
    const compiled = yield* compilingGovernanceFile(file, text);
    yield;
    // One by one: a call takes only so many arguments.
    for (const rule of compiled.rules) rules.push(rule);
    for (const fault of compiled.faults) faults.push(fault);
    for (const [id, line] of compiled.ids) {
      yield;
      const place = taken.get(id);
      if (place === undefined) {
        taken.set(id, `${file}:${line}`);
      } else {
        const message = `the id \`${id}\` is taken by ${place}; give each rule its own`;
        faults.push({ file, line, column: 1, message });
      }
    }
  }
  return { rules, faults };
}

/** A model as far as it could be read; `model` beside faults serves to find more of them. */
interface ModelReading {
  readonly model?: Model;
  readonly modelFile: string;
  readonly faults: readonly BundleFault[];
  readonly warnings: readonly BundleFault[];
}

function readModel(
  files: BundleFiles,
  name: string,
  { document, places }: ReadBundleFile,
  { shippedModels }: CompileOptions,
): ModelReading {
  const located = locateModel(files, name, shippedModels);
  if ('message' in located) {
    const fault = { file: BUNDLE_FILE, ...places.at('/model'), message: located.message };
    return { modelFile: BUNDLE_FILE, faults: [fault], warnings: [] };
  }
  const { file: modelFile, text } = located;
  const options: ModelOptions = {
    ...(document.request === undefined ? {} : { request: document.request }),
    ...(document.role_patterns === undefined ? {} : { rolePatterns: document.role_patterns }),
  };
  const parsed = parseModel(text, options);
  if ('model' in parsed) {
    const warnings = parsed.warnings.map((warning) => ({ file: modelFile, ...warning }));
    return { model: parsed.model, modelFile, faults: [], warnings };
  }
  const ofOptions = parsed.faults.flatMap(({ option, message }) =>
    option === undefined ? [] : [{ file: BUNDLE_FILE, ...places.keyAt(option), message }],
  );
  const mended = ofOptions.length === 0 ? parsed : parseMended(text, options, parsed.faults);
  if ('model' in mended) return { model: mended.model, modelFile, faults: ofOptions, warnings: [] };
  const ofText = mended.faults.flatMap(({ option, ...fault }) =>
    option === undefined ? [{ file: modelFile, ...fault }] : [],
  );
  return { modelFile, faults: [...ofOptions, ...ofText], warnings: [] };
}

/**
 * The model without what `bundle.yaml` says amiss of it, so that no fault of its text follows from
 * that: tokens are filled by a path that stands in, and those that the model does not have left out.
 */
function parseMended(
  text: string,
  { request = {}, rolePatterns = {} }: ModelOptions,
  faults: readonly ModelFault[],
): ReturnType<typeof parseModel> {
  const wrong = optionsAtFault(faults);
  const isSound = (member: string, name: string) => !wrong.has(pointerTo(`/${member}`, name));
  const patterns = onlyWhere(rolePatterns, (type) => isSound('role_patterns', type));
  const filled = Object.fromEntries(
    Object.entries(request).map(([token, path]) => [
      token,
      isSound('request', token) ? path : standInFor(token),
    ]),
  );
  const parsed = parseModel(text, { request: filled, rolePatterns: patterns });
  if ('model' in parsed) return parsed;
  const unknown = optionsAtFault(parsed.faults);
  const known = onlyWhere(filled, (token) => !unknown.has(pointerTo('/request', token)));
  return parseModel(text, { request: known, rolePatterns: patterns });
}

function optionsAtFault(faults: readonly ModelFault[]): Set<string> {
  return new Set(faults.flatMap(({ option }) => (option === undefined ? [] : [option])));
}

function onlyWhere(
  members: Readonly<Record<string, string>>,
  holds: (name: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(Object.entries(members).filter(([name]) => holds(name)));
}

function tenantFaults(
  places: YamlDocument,
  model: Model,
  { tenants, sharedRules }: BundleSettings,
): BundleFault[] {
  if (model.hasDomain) return [];
  if (tenants === undefined) {
    if (Object.hasOwn(Object(places.value), 'tenants')) return [];
    const message = 'the model has no `dom`; list the tenants that it serves as `tenants`';
    return [{ file: BUNDLE_FILE, ...places.keyAt('/model'), message }];
  }
  if (tenants.length === 1 || sharedRules) return [];
  const message =
    'the model has no `dom`, so these tenants share every rule; add `shared_rules: true` or keep one tenant';
  return [{ file: BUNDLE_FILE, ...places.keyAt('/tenants'), message }];
}
