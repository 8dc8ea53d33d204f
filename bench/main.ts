/**
 * Measures the server against its peers; docs/performance.md says how to read the figures.
 *
 *   npm run bench                      every suite: tables on standard output, JSON in bench/results/
 *   npm run bench -- http peers        these suites
 *   npm run bench -- http --quick      a first look, in seconds
 *   npm run bench -- http --checkout DIR --rules 100     the server built in another checkout
 *   npm run bench -- --write-docs      every suite and a profile, into docs/performance.md too
 *   npm run bench -- profile …         where the processor time goes; see profile.ts
 */
import { parseArgs } from 'node:util';
import { writeParts } from './document.js';
import { profileServer, profileTable, readProfile, summarize } from './profile.js';
import {
  describeMachine,
  machineText,
  type SuiteResult,
  suiteText,
  writeReport,
} from './report.js';
import { batch } from './suites/batch.js';
import { buffered } from './suites/buffered.js';
import { engine } from './suites/engine.js';
import { growth } from './suites/growth.js';
import { http } from './suites/http.js';
import { load } from './suites/load.js';
import { peers } from './suites/peers.js';
import type { RunOptions, Suite } from './suites/suite.js';
import { workers } from './suites/workers.js';

const SUITES: readonly Suite[] = [engine, http, buffered, batch, growth, workers, peers, load];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    checkout: { type: 'string' },
    rules: { type: 'string' },
    'write-docs': { type: 'boolean', default: false },
  },
});

const options: RunOptions = {
  quick: values.quick,
  checkout: values.checkout,
  rules: values.rules === undefined ? undefined : Number(values.rules),
  tell: (message) => void process.stderr.write(`${message}\n`),
};

/** What goes into the document, by its place there. */
const parts = new Map<string, string>();

if (values['write-docs'] && values.quick) {
  throw new Error('a quick run is not for the record: leave out `--quick` or `--write-docs`');
}
const [first, file] = positionals;
if (first === 'profile') await profile(file);
else await runSuites(chosenSuites(positionals));
if (first === undefined && values['write-docs']) await profile(undefined);
if (values['write-docs']) await writeParts(parts);

async function profile(from: string | undefined): Promise<void> {
  const summary =
    from === undefined
      ? await profileServer(options.checkout, options.rules)
      : summarize(await readProfile(from));
  const text = profileTable(summary);
  print(text);
  parts.set('profile', text);
}

async function runSuites(suites: readonly Suite[]): Promise<void> {
  const machine = describeMachine(options.checkout);
  const results: SuiteResult[] = [];
  for (const { name, title, run } of suites) {
    options.tell(`${name} …`);
    const result = { suite: name, title, ...(await run(options)) };
    results.push(result);
    parts.set(name, `${suiteText(result)}\n\n${machineText(machine)}`);
    print(`\n${title}\n\n${suiteText(result)}`);
  }
  print(`\nwritten to ${await writeReport({ machine, suites: results })}`);
}

function chosenSuites(names: readonly string[]): readonly Suite[] {
  const unknown = names.filter((name) => SUITES.every((suite) => suite.name !== name));
  if (unknown.length > 0) {
    const known = SUITES.map(({ name }) => name).join(', ');
    throw new Error(`no suite is called ${unknown.join(', ')}; there are: ${known}, profile`);
  }
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
