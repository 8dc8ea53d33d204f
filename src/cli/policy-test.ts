import type { Command } from 'commander';
import { type TestResult, testBundle } from '../decision/bundle-tests.js';
import { bundleDirectory, loadBundle, showWarnings } from './bundle-source.js';
import { CommandFailed, EXIT } from './exit-codes.js';
import { createScreen, printable, type Screen } from './screen.js';
import { type PrintOptions, withJson } from './server-command.js';
import type { Surroundings } from './surroundings.js';

/** `countersign policy test`: the bundle's own tests, without a server. */
export function addPolicyTest(policy: Command, surroundings: Surroundings): void {
  const command = policy
    .command('test')
    .description("run a bundle's tests; needs no server")
    .argument('[dir]', 'the bundle (or COUNTERSIGN_POLICY_DIR; else policies)');
  withJson(command).action(async (dir: string | undefined, options: PrintOptions) => {
    const screen = createScreen(surroundings);
    const directory = bundleDirectory(surroundings, dir);
    const { bundle, warnings, pathOf } = await loadBundle(surroundings, directory, screen, options);
    const { results } = await screen.busy('running the tests', () => testBundle(bundle));
    const failed = results.filter((result) => !result.passed).length;
    const passed = results.length - failed;
    if (options.json) {
      screen.data({ passed, failed, tests: results.map((result) => dataOf(result, pathOf)) });
    } else {
      showWarnings(screen, warnings, pathOf);
      showResults(screen, results, pathOf);
      screen.say(`${passed} passed, ${failed} failed`);
    }
    if (failed > 0) throw new CommandFailed(EXIT.testsFailed);
  });
}

function dataOf({ test, passed, actual }: TestResult, pathOf: (file: string) => string) {
  const { name, source, expect } = test;
  const place = { file: pathOf(source.file), line: source.line, column: source.column };
  return { name, ...place, passed, expected: expect, actual };
}

/** One line a test, under the file that it stands in; of those that failed, what and where. */
function showResults(
  screen: Screen,
  results: readonly TestResult[],
  pathOf: (file: string) => string,
): void {
  const { colours } = screen;
  const files = new Set(results.map(({ test }) => test.source.file));
  for (const file of files) {
    screen.say(colours.bold(pathOf(file)));
    for (const { test, passed, actual } of results.filter((r) => r.test.source.file === file)) {
      const mark = passed ? colours.green('✓') : colours.red('✗');
      screen.say(`  ${mark} ${printable(test.name)}`);
      if (passed) continue;
      screen.say(
        `      at       ${pathOf(file)}:${test.source.line}:${test.source.column}`,
        `      expected ${colours.green(wordsOf(test.expect))}`,
        `      got      ${colours.red(printable(actualWords(actual)))}`,
      );
    }
    screen.say('');
  }
}

function actualWords(actual: TestResult['actual']): string {
  return typeof actual === 'string' ? actual : `${wordsOf(actual)}: ${actual.message}`;
}

function wordsOf({ decision, reason }: { decision: string; reason?: string }): string {
  return reason === undefined ? decision : `${decision}, ${reason}`;
}
