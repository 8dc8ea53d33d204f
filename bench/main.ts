/**
 * Measures the server against its peers; see docs/performance.md.
 *
 *   npm run bench                      every suite, tables on standard output, JSON in bench/results/
 *   npm run bench -- http peers        these suites
 *   npm run bench -- http --quick      a first look, in seconds
 *   npm run bench -- http --checkout DIR --rules 100     the server built in another checkout
 *   npm run bench -- profile …         where the processor time goes; see profile.ts
 */
import { parseArgs } from 'node:util';
import { profileServer, profileTable, readProfile, summarize } from './profile.js';
import { describeMachine, type SuiteResult, suiteTable, writeReport } from './report.js';
import { batch } from './suites/batch.js';
import { buffered } from './suites/buffered.js';
import { engine } from './suites/engine.js';
import { growth } from './suites/growth.js';
import { http } from './suites/http.js';
import { load } from './suites/load.js';
import { workers } from './suites/workers.js';
import type { RunOptions, Suite } from './suites/suite.js';

const SUITES: readonly Suite[] = [engine, http, buffered, batch, growth, workers, load];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    checkout: { type: 'string' },
    rules: { type: 'string' },
  },
});

const options: RunOptions = {
  quick: values.quick,
  checkout: values.checkout,
  rules: values.rules === undefined ? undefined : Number(values.rules),
  tell: (message) => void process.stderr.write(`${message}\n`),
};

if (positionals[0] === 'profile') await profile(positionals[1]);
else await runSuites(chosenSuites(positionals));

async function profile(file: string | undefined): Promise<void> {
  const summary =
    file === undefined
      ? await profileServer(options.checkout, options.rules)
      : summarize(await readProfile(file));
  print(profileTable(summary));
}

async function runSuites(suites: readonly Suite[]): Promise<void> {
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    options.tell(`${suite.name} …`);
    const result = { suite: suite.name, title: suite.title, ...(await suite.run(options)) };
    print(`\n## ${result.title}\n\n${suiteTable(result)}`);
    results.push(result);
  }
  const file = await writeReport({ machine: describeMachine(), suites: results });
  print(`\nwritten to ${file}`);
}

function chosenSuites(names: readonly string[]): readonly Suite[] {
  const unknown = names.filter((name) => SUITES.every((suite) => suite.name !== name));
  if (unknown.length > 0) {
    const known = SUITES.map(({ name }) => name).join(', ');
    throw new Error(`no suite is called ${unknown.join(', ')}; there are: ${known}`);
  }
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
