import type { BundleFault } from '../errors.js';
import { compileSchema, listFaults, listIn, type ListSchema } from '../platform/schema-faults.js';
import type { Work } from '../platform/turns.js';
import { memberOf } from '../platform/written-member.js';
import { parsingYaml, type YamlDocument, type YamlFault } from '../platform/yaml.js';
import { REASONS, type Reason } from '../vocabulary.js';
import type { BundleTest } from './compiled-bundle.js';
import { ExpectSchema, InstantSchema, type TestsDocument, TestsSchema } from './tests-schema.js';

const fileSchema: ListSchema = {
  check: compileSchema(TestsSchema),
  list: 'tests',
  checkItem: compileSchema(TestsSchema.properties.tests.items),
};
const checkInstant = compileSchema(InstantSchema);
const checkExpect = compileSchema(ExpectSchema);

/** The tests of a file, none where it has faults, and everything that is wrong with it. */
export interface ParsedTests {
  readonly tests: readonly BundleTest[];
  readonly faults: readonly BundleFault[];
}

/** Reads a file of bundle tests; pauses after each of them. */
export function* parsingTests(file: string, text: string): Work<ParsedTests> {
  const { document: places, faults: flaws } = yield* parsingYaml(text);
  const inFile = (fault: YamlFault): BundleFault => ({ file, ...fault });
  if (places === undefined) return { tests: [], faults: flaws.map(inFile) };
  const shape = yield* listFaults(fileSchema, places);
  const faults = [...flaws, ...shape, ...(yield* furtherFaults(places))];
  if (faults.length > 0) return { tests: [], faults: faults.map(inFile) };
  const document = places.value as TestsDocument;
  const common = millisecondsOf(document.now);
  const tests = document.tests.map(({ name, now: own, check, expect }, index): BundleTest => {
    const now = millisecondsOf(own) ?? common;
    return {
      name,
      ...(now === undefined ? {} : { now }),
      check,
      expect,
      source: { file, ...places.at(`/tests/${index}`) },
    };
  });
  return { tests, faults: [] };
}

function millisecondsOf(instant: string | undefined): number | undefined {
  return instant === undefined ? undefined : Date.parse(instant);
}

/** What a schema cannot say, of every part of the file that holds its own. */
function* furtherFaults(places: YamlDocument): Work<YamlFault[]> {
  const faults = instantFaults(memberOf(places.value, 'now'), '/now', places);
  for (const [index, test] of listIn(places, fileSchema.list).entries()) {
    yield;
    const at = `/tests/${index}`;
    faults.push(...instantFaults(memberOf(test, 'now'), `${at}/now`, places));
    faults.push(...reasonFaults(memberOf(test, 'expect'), `${at}/expect/reason`, places));
  }
  return faults;
}

function instantFaults(instant: unknown, pointer: string, places: YamlDocument): YamlFault[] {
  if (typeof instant !== 'string' || checkInstant(instant).length > 0) return [];
  if (!Number.isNaN(Date.parse(instant)) && isInCalendar(instant)) return [];
  return [{ ...places.at(pointer), message: `\`${instant}\` is no time; no calendar has it` }];
}

/** JavaScript takes the 31st of February for the 3rd of March. */
function isInCalendar(instant: string): boolean {
  const [year = 0, month = 0, day = 0] = instant.slice(0, 10).split('-').map(Number);
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}

function reasonFaults(value: unknown, pointer: string, places: YamlDocument): YamlFault[] {
  if (checkExpect(value).length > 0) return [];
  const { decision, reason } = value as BundleTest['expect'];
  const reasons: readonly Reason[] = REASONS[decision];
  if (reason === undefined || reasons.includes(reason)) return [];
  const expected = reasons.map((word) => `\`${word}\``).join(', ');
  const message = `\`${reason}\` never comes with \`${decision}\`; use ${expected}`;
  return [{ ...places.at(pointer), message }];
}
