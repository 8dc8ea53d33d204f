import type { BundleFault } from '../errors.js';
import { compileSchema, schemaFaults } from '../platform/schema-faults.js';
import { parseYaml } from '../platform/yaml.js';
import { REASONS, type Reason } from '../vocabulary.js';
import type { BundleTest } from './compiled-bundle.js';
import { type TestsDocument, TestsSchema } from './tests-schema.js';

const check = compileSchema(TestsSchema);

/** The tests of a file, and everything that is wrong with it. */
export interface ParsedTests {
  readonly tests: readonly BundleTest[];
  readonly faults: readonly BundleFault[];
}

/** Reads a file of bundle tests. */
export function parseTests(file: string, text: string): ParsedTests {
  const places = parseYaml(text);
  if ('faults' in places) return { tests: [], faults: places.faults.map((f) => ({ file, ...f })) };
  const schema = schemaFaults(check, places);
  if (schema.length > 0) return { tests: [], faults: schema.map((f) => ({ file, ...f })) };
  const document = places.value as TestsDocument;
  const faults: BundleFault[] = [];
  const fault = (pointer: string, message: string) => {
    faults.push({ file, ...places.at(pointer), message });
  };
  const clock = (pointer: string, instant: string | undefined) => {
    const now = instant === undefined ? undefined : Date.parse(instant);
    if (Number.isNaN(now)) fault(pointer, `\`${instant}\` is no time; no calendar has it`);
    return now;
  };
  const common = clock('/now', document.now);
  const tests = document.tests.map((test, index): BundleTest => {
    const at = `/tests/${index}`;
    const { decision, reason } = test.expect;
    const reasons: readonly Reason[] = REASONS[decision];
    if (reason !== undefined && !reasons.includes(reason)) {
      const expected = reasons.map((word) => `\`${word}\``).join(', ');
      fault(
        `${at}/expect/reason`,
        `\`${reason}\` never comes with \`${decision}\`; use ${expected}`,
      );
    }
    const now = clock(`${at}/now`, test.now) ?? common;
    return {
      name: test.name,
      ...(now === undefined ? {} : { now }),
      check: test.check,
      expect: reason === undefined ? { decision } : { decision, reason },
      source: { file, ...places.at(at) },
    };
  });
  return { tests, faults };
}
