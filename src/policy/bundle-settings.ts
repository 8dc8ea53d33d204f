import { Type } from '@sinclair/typebox';
import type { BundleFault } from '../errors.js';
import { compileSchema, schemaFaults } from '../platform/schema-faults.js';
import { parseYaml, type YamlDocument } from '../platform/yaml.js';
import { type BundleDocument, BundleSchema } from './bundle-schema.js';
import type { BundleFiles, BundleSettings } from './compiled-bundle.js';

/** The one file that every bundle has. */
export const BUNDLE_FILE = 'bundle.yaml';

const check = compileSchema(BundleSchema);
const checkModelPart = compileSchema({
  ...Type.Pick(BundleSchema, ['model', 'request', 'role_patterns']),
  additionalProperties: true,
});

/** What `bundle.yaml` says of its model. */
export type ModelPart = Pick<BundleDocument, 'model' | 'request' | 'role_patterns'>;

/** What could be read of `bundle.yaml`, with the places of its members. */
export interface ReadBundleFile {
  /** Undefined where the file has faults. */
  readonly document: BundleDocument | undefined;
  /** Undefined where the faults are in this very part: with it, rules can be judged all the same. */
  readonly modelPart: ModelPart | undefined;
  readonly places: YamlDocument;
  readonly faults: readonly BundleFault[];
}

/** What holds while no bundle says otherwise. */
export const DEFAULT_SETTINGS: BundleSettings = {
  tenants: undefined,
  sharedRules: false,
  rolesAsSubjects: false,
  redact: [],
  bind: [],
};

/** Reads `bundle.yaml` out of a bundle's files; only faults where it is missing or no YAML. */
export function readBundleFile(
  files: BundleFiles,
): ReadBundleFile | { readonly document?: undefined; readonly faults: readonly BundleFault[] } {
  const text = files.get(BUNDLE_FILE);
  if (text === undefined) {
    const message = 'the bundle has no `bundle.yaml`; add one with `name` and `model`';
    return { faults: [{ file: BUNDLE_FILE, line: 1, column: 1, message }] };
  }
  const places = parseYaml(text);
  if ('faults' in places) return { faults: places.faults.map(inBundleFile) };
  const faults = schemaFaults(check, places).map(inBundleFile);
  const value = places.value as BundleDocument;
  return {
    document: faults.length === 0 ? value : undefined,
    modelPart: schemaFaults(checkModelPart, places).length === 0 ? value : undefined,
    places,
    faults,
  };
}

function inBundleFile<Fault extends object>(fault: Fault): Fault & { file: string } {
  return { file: BUNDLE_FILE, ...fault };
}

/** The settings that `bundle.yaml` gives. */
export function settingsOf(document: BundleDocument): BundleSettings {
  return {
    tenants: document.tenants,
    sharedRules: document.shared_rules ?? false,
    rolesAsSubjects: document.roles_as_subjects ?? false,
    redact: document.audit?.redact ?? [],
    bind: (document.approval?.bind ?? []).map((path) => path.replace(/^context\./, '')),
  };
}
