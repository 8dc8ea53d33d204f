import type { BundleFault } from '../errors.js';
import { atOnce, type Work } from '../platform/turns.js';
import { WideMap } from '../platform/wide-map.js';
import type { RuleLine } from '../vocabulary.js';
import {
  bytesOf,
  fileFaults,
  MAX_BUNDLE_BYTES,
  readableFiles,
  roleOf,
  tooLarge,
} from './bundle-file-set.js';
import { BUNDLE_FILE } from './bundle-settings.js';
import {
  compilingDefinition,
  type CompileOptions,
  type Definition,
  filesOf,
} from './compile-definition.js';
import type { BundleFiles, BundleRule, BundleTest, Compilation } from './compiled-bundle.js';
import { modelPath } from './locate-model.js';
import { roleCycles } from './role-cycles.js';
import { unknownRoleWarnings } from './role-use.js';
import { ruleFault, tenantField } from './rule-tenant.js';
import { rulesParsing } from './rules-file.js';
import { isTenantId } from './tenant-id.js';
import { parsingTests } from './tests-file.js';

/**
 * Compiles the files of a bundle: everything that is wrong with any of them at once, sorted by file,
 * line and column; or the bundle, ready to decide. Reads nothing but what it is given.
 */
export function compileBundle(files: BundleFiles, options: CompileOptions): Compilation {
  return atOnce(compiling(files, options));
}

/** `compileBundle` as work of many turns: it pauses after each file, and each of its rules. */
export function* compiling(given: BundleFiles, options: CompileOptions): Work<Compilation> {
  const bytes = bytesOf(given);
  if (bytes > MAX_BUNDLE_BYTES) return { faults: [tooLarge(bytes)], warnings: [] };

  yield;
  const files = readableFiles(given);
  yield;
  const reading = yield* compilingDefinition(files, options);
  const { definition } = reading;
  yield;
  const rules = yield* readRules(files, definition);
  const tests = yield* readTests(files);
  const warnings = [...unknownFiles(files, definition), ...reading.warnings, ...rules.warnings];
  const faults = fileFaults(given).concat(reading.faults, rules.faults, tests.faults);
  if (isFaulty(faults)) return { faults: inOrder(faults), warnings: inOrder(warnings) };
  if (definition === undefined) throw new Error('a bundle without faults has a definition');

  const { rules: lines } = rules;
  const unknown = yield* unknownRoleWarnings(definition.governance, lines, definition.model);
  for (const warning of unknown) warnings.push(warning);
  const { name, modelName, model, settings, governance } = definition;
  return {
    bundle: {
      name,
      modelName,
      model,
      settings,
      governance,
      rules: lines,
      tests: tests.tests,
    },
    warnings: inOrder(warnings),
  };
}

/** The files that have a part in a bundle: those that are kept. */
export function keptFiles(files: BundleFiles, modelName: string): BundleFiles {
  const model = modelPath(modelName);
  return new Map([...files].filter(([path]) => path === model || roleOf(path) !== undefined));
}

/** Sorts faults as they are told: by file, then line and column as numbers. */
export function inOrder<Faults extends readonly BundleFault[]>(faults: Faults): Faults;
export function inOrder(faults: readonly BundleFault[]): readonly BundleFault[] {
  return faults.toSorted(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isFaulty(
  faults: readonly BundleFault[],
): faults is readonly [BundleFault, ...BundleFault[]] {
  return faults.length > 0;
}

interface RulesReading {
  readonly rules: readonly BundleRule[];
  readonly faults: readonly BundleFault[];
  readonly warnings: readonly BundleFault[];
}

function* readRules(files: BundleFiles, definition: Definition | undefined): Work<RulesReading> {
  const faults: BundleFault[] = [];
  const warnings: BundleFault[] = [];
  const rules: BundleRule[] = [];
  const places = new WideMap<BundleRule['source']>();
  const faultOf = definition && ((rule: RuleLine) => ruleFault(definition, rule));
  for (const [file, text] of filesOf(files, 'rules')) {
    const parsed = yield* rulesParsing(file, text, faultOf);
    for (const fault of parsed.faults) faults.push(fault);
    for (const rule of parsed.rules) {
      yield;
      const key = rule.line.join('\0');
      const first = places.get(key);
      if (first === undefined) {
        places.set(key, rule.source);
        rules.push(rule);
        if (definition) warnings.push(...tenantWarnings(definition, rule));
      } else {
        const message = `the same rule stands in ${first.file}:${first.line}; remove one of them`;
        warnings.push({ ...rule.source, column: 1, message });
      }
    }
  }
  for (const warning of yield* roleCycles(rules)) warnings.push(warning);
  return { rules, faults, warnings };
}

/** A tenant field that no tenant can have, and that is no pattern either, decides nothing. */
function tenantWarnings({ model }: Definition, { line, source }: BundleRule): BundleFault[] {
  const field = tenantField(model, line[0]);
  const tenant = field === undefined ? undefined : line[field];
  if (tenant === undefined || isTenantId(tenant) || /[*:{(]/.test(tenant)) return [];
  const message = `\`${tenant}\` is no tenant that a check can name; the rule decides nothing`;
  return [{ ...source, column: 1, message }];
}

function* readTests(files: BundleFiles): Work<{ tests: BundleTest[]; faults: BundleFault[] }> {
  const parsed = [];
  for (const [file, text] of filesOf(files, 'tests')) {
    yield;
    parsed.push(yield* parsingTests(file, text));
  }
  return {
    tests: parsed.flatMap(({ tests }) => tests),
    faults: parsed.flatMap(({ faults }) => faults),
  };
}

function unknownFiles(files: BundleFiles, definition: Definition | undefined): BundleFault[] {
  const warnings: BundleFault[] = [];
  for (const file of files.keys()) {
    if (roleOf(file) !== undefined || file === definition?.modelFile) continue;
    // A bundle that cannot be read may name any of its files as the model.
    if (definition === undefined && file.endsWith('.conf')) continue;
    warnings.push(unknownFile(file));
  }
  return warnings;
}

/** The warning of a file that has no part in a bundle. */
export function unknownFile(file: string): BundleFault {
  const message = `no part of a bundle, passed over; expected \`${BUNDLE_FILE}\`, \`rules/*.csv\`, \`governance/*.yaml\`, \`tests/*.yaml\` or \`models/*.conf\``;
  return { file, line: 1, column: 1, message };
}
