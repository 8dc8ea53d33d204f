import { pathOf } from '../engine/request-token.js';
import type { BundleFault } from '../errors.js';
import { compileSchema, schemaFaults } from '../platform/schema-faults.js';
import { atOnce, type Work } from '../platform/turns.js';
import { parsingYaml, pointerTo, type YamlDocument } from '../platform/yaml.js';
import { bindFault, boundPath } from './bind-path.js';
import { type BundleDocument, BundleSchema } from './bundle-schema.js';
import type { BundleFiles, BundleSettings } from './compiled-bundle.js';

/** The one file that every bundle has. */
export const BUNDLE_FILE = 'bundle.yaml';

const check = compileSchema(BundleSchema);
const memberChecks = new Map(
  Object.entries(BundleSchema.properties).map(([name, schema]) => [name, compileSchema(schema)]),
);

/** What could be read of `bundle.yaml`, with the places of its members. */
export interface ReadBundleFile {
  /**
   * The members that are as they should be, and of those that hold several values the sound ones.
   * Where there are faults, it serves to find more of them.
   */
  readonly document: Partial<BundleDocument>;
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

/** What reading `bundle.yaml` comes to; only faults where it is missing or no YAML. */
export type BundleFileReading =
  | ReadBundleFile
  | { readonly document?: undefined; readonly faults: readonly BundleFault[] };

/** Reads `bundle.yaml` out of a bundle's files. */
export function readBundleFile(files: BundleFiles): BundleFileReading {
  return atOnce(readingBundleFile(files));
}

/** `readBundleFile` as work of many turns. */
export function* readingBundleFile(files: BundleFiles): Work<BundleFileReading> {
  const text = files.get(BUNDLE_FILE);
  if (text === undefined) {
    const message = 'the bundle has no `bundle.yaml`; add one with `name` and `model`';
    return { faults: [{ file: BUNDLE_FILE, line: 1, column: 1, message }] };
  }
  const { document: places, faults: flaws } = yield* parsingYaml(text);
  if (places === undefined) return { faults: flaws.map(inBundleFile) };
  const document = soundPart(places.value);
  const faults = [...flaws, ...schemaFaults(check, places), ...bindFaults(document, places)];
  return { document, places, faults: faults.map(inBundleFile) };
}

function bindFaults({ approval }: Partial<BundleDocument>, places: YamlDocument) {
  return (approval?.bind ?? []).flatMap((path, index) => {
    const message = bindFault(path);
    const pointer = pointerTo('/approval/bind', index);
    return message === undefined ? [] : [{ ...places.at(pointer), message }];
  });
}

/** What a faulty file says all the same. */
function soundPart(value: unknown): Partial<BundleDocument> {
  const members = Object.entries(isMapping(value) ? value : {}).map(([name, member]) => [
    name,
    memberChecks.get(name)?.(member).length === 0 ? member : mended(name, member),
  ]);
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}

/** The sound values of a member that holds several; undefined where nothing can be made of it. */
function mended(name: string, member: unknown): unknown {
  if (name === 'tenants') return texts(member);
  if (name === 'request' && isMapping(member)) return mendedRequest(member);
  if (name === 'role_patterns' && isMapping(member)) return onlyTexts(member);
  if (name === 'approval' && isMapping(member)) return { bind: texts(member['bind']) ?? [] };
  // Whatever it was, it was meant to say something.
  return name === 'shared_rules' ? true : undefined;
}

/** Tokens whose path is no text are filled all the same, so that the model can be read. */
function mendedRequest(request: Readonly<Record<string, unknown>>): Record<string, string> {
  const tokens = Object.entries(request).filter(([token]) =>
    /^[A-Za-z_][A-Za-z0-9_]*$/.test(token),
  );
  return Object.fromEntries(
    tokens.map(([token, path]) => {
      const isSound = memberChecks.get('request')?.({ [token]: path }).length === 0;
      return [token, isSound ? String(path) : standInFor(token)];
    }),
  );
}

/** A path for a token whose own is of no use: that of its name, or one that may hold anything. */
export function standInFor(token: string): string {
  return pathOf(token, new Map()) ?? `context.${token}`;
}

function texts(list: unknown): string[] | undefined {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : undefined;
}

function onlyTexts(mapping: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(mapping).filter(([, text]) => typeof text === 'string'));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inBundleFile<Fault extends object>(fault: Fault): Fault & { file: string } {
  return { file: BUNDLE_FILE, ...fault };
}

/** The settings that `bundle.yaml` gives. */
export function settingsOf(document: Partial<BundleDocument>): BundleSettings {
  return {
    tenants: document.tenants,
    sharedRules: document.shared_rules ?? false,
    rolesAsSubjects: document.roles_as_subjects ?? false,
    redact: document.audit?.redact ?? [],
    bind: (document.approval?.bind ?? []).map(boundPath),
  };
}
