import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { readBundleDirectory } from '../../src/policy/bundle-directory.js';

/** One case of the decision matrix; test/cases/README.md says what each member means. */
export interface Case {
  readonly name: string;
  readonly now?: string;
  readonly check: object;
  readonly asked_before?: number | readonly object[];
  readonly expect: {
    readonly decision: string;
    readonly reason?: string;
    readonly rules?: readonly Record<string, unknown>[];
    readonly message?: string;
    readonly retry_at?: string;
  };
}

/** A file of the matrix: a policy and its cases. */
export interface CaseFile {
  readonly file: string;
  readonly bundle: 'demo' | Record<string, string>;
  readonly now?: string;
  readonly tests: readonly Case[];
}

const FOLDER = new URL('../cases/', import.meta.url);

/** Every file of the matrix, by name. */
export function caseFiles(): CaseFile[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => ({
      file,
      ...(load(readFileSync(new URL(file, FOLDER), 'utf8')) as Omit<CaseFile, 'file'>),
    }));
}

/** The files of the bundle that a matrix file speaks of. */
export async function bundleOf({ bundle }: CaseFile): Promise<ReadonlyMap<string, string>> {
  if (bundle !== 'demo') return new Map(Object.entries(bundle));
  const folder = new URL('../../policies', import.meta.url);
  return (await readBundleDirectory(folder.pathname)).files;
}

/** A Monday morning, for cases that care for no clock. */
const ANY_TIME = '2026-03-30T10:00:00Z';

/** The moment of a case, in milliseconds since the epoch. */
export function momentOf(file: CaseFile, test: Case): number {
  return new Date(test.now ?? file.now ?? ANY_TIME).getTime();
}

/** What must be asked first, for the case to find what it expects. */
export function askedBefore({ asked_before: before = [], check }: Case): readonly object[] {
  return typeof before === 'number' ? Array.from({ length: before }, () => check) : before;
}

/** Holds an answer against what a case expects of it. */
export function assertAnswer(actual: Record<string, unknown>, { expect }: Case): void {
  const { decision, reason, rules, message, retry_at: retryAt } = expect;
  const shown = JSON.stringify(actual);
  assert.equal(actual['decision'], decision, shown);
  assert.equal(actual['allowed'], decision === 'allow', shown);
  if (reason !== undefined) assert.equal(actual['reason'], reason, shown);
  if (message !== undefined) assert.equal(actual['message'], message);
  if (retryAt !== undefined) {
    assert.equal(Date.parse(String(actual['retry_at'])), new Date(retryAt).getTime(), shown);
  }
  if (rules === undefined) return;
  const told = (actual['rules'] as Record<string, unknown>[]).map((rule, index) => {
    const { message: _, ...rest } = rule;
    return rules[index]?.['message'] === undefined ? rest : rule;
  });
  assert.deepEqual(told, rules);
}
