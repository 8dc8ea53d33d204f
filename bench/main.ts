/**
 * Measures the server against its peers: tables on standard output, JSON in `bench/results/`.
 * docs/performance.md says how to read the figures, `--help` how to ask for them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writePart } from './document.js';
import { profileServer, profileTable, profileWorkers, readProfile, summarize } from './profile.js';
import {
  describeMachine,
  machineText,
  readReport,
  type Report,
  reportPath,
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
import { propagation } from './suites/propagation.js';
import type { RunOptions, Suite } from './suites/suite.js';
import { workers } from './suites/workers.js';

const SUITES: readonly Suite[] = [
  engine,
  http,
  buffered,
  batch,
  growth,
  workers,
  propagation,
  peers,
  load,
];

const USAGE = `npm run bench                      every suite: ${SUITES.map(({ name }) => name).join(', ')}
npm run bench -- http peers        these suites
npm run bench -- http --quick      a first look, in seconds
npm run bench -- http --checkout DIR --rules 100     the server built in another checkout
npm run bench -- --write-docs      every suite and a profile, into docs/performance.md too
npm run bench -- docs FILE.json    an earlier run into docs/performance.md
npm run bench -- profile           where the processor time goes; --batch 100 for batches, --audit buffered
npm run bench -- profile --workers 2                 where it goes with as many workers, beside one`;

const { values, positionals } = asked(() =>
  parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      checkout: { type: 'string' },
      rules: { type: 'string' },
      batch: { type: 'string', default: '1' },
      audit: { type: 'string', default: 'off' },
      workers: { type: 'string', default: '1' },
      'write-docs': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  }),
);
if (values.help) {
  print(USAGE);
  process.exit(0);
}

const options: RunOptions = asked(() => ({
  quick: values.quick,
  checkout: values.checkout,
  rules: values.rules === undefined ? undefined : count('--rules', values.rules),
  tell: (message) => void process.stderr.write(`${message}\n`),
}));
const checksInRequest = asked(() => count('--batch', values.batch));
const workerCount = asked(() => count('--workers', values.workers));
const audit = asked(() => {
  if (values.audit === 'off' || values.audit === 'buffered') return values.audit;
  throw new Error(`\`--audit\` is \`off\` or \`buffered\`, not \`${values.audit}\``);
});

const [first, file] = positionals;
const suites = asked(() => {
  if (values['write-docs'] && values.quick) {
    throw new Error('a quick run is not for the record: leave out `--quick` or `--write-docs`');
  }
  if (first === 'docs' && !existsSync(file ?? '')) {
    throw new Error('say which run to write down: `docs bench/results/….json`');
  }
  if (values.checkout !== undefined && !existsSync(join(values.checkout, 'dist', 'main.js'))) {
    throw new Error(`${values.checkout} holds no built server: \`npm ci\` there builds it`);
  }
  return first === 'profile' || first === 'docs' ? [] : chosenSuites(positionals);
});

try {
  if (first === 'profile' && workerCount > 1) await profileOfWorkers(workerCount);
  else if (first === 'profile') await profile(file);
  else if (first === 'docs') await document(await readReport(file ?? ''));
  else await runSuites(suites);
  if (first === undefined && values['write-docs']) {
    await profile(undefined);
    await profileOfWorkers(2);
  }
} catch (error) {
  fail(error, 1);
}

async function profile(from: string | undefined): Promise<void> {
  const summary =
    from === undefined
      ? await profileServer({ ...options, batch: checksInRequest, audit })
      : summarize([await readProfile(from)]);
  await printPart('profile', profileTable(summary));
}

async function profileOfWorkers(workers: number): Promise<void> {
  await printPart('profile-workers', await profileWorkers(options, workers));
}

async function printPart(name: string, text: string): Promise<void> {
  print(text);
  if (values['write-docs']) await writePart(name, text);
}

async function runSuites(suites: readonly Suite[]): Promise<void> {
  const machine = describeMachine(options.checkout);
  const results: SuiteResult[] = [];
  for (const suite of suites) {
    const result = await runSuite(suite);
    if (result === undefined) continue;
    results.push(result);
    const text = suiteText(result);
    print(`\n${suite.title}\n\n${text}`);
    await writeReport({ machine, suites: results });
    // As soon as it is measured: what fails later costs nothing of it.
    if (values['write-docs']) await document({ machine, suites: [result] });
  }
  print(`\nwritten to ${reportPath(machine)}`);
}

/** A suite that fails keeps no other from its turn, but the run fails. */
async function runSuite({ name, title, run }: Suite): Promise<SuiteResult | undefined> {
  options.tell(`${name} …`);
  try {
    return { suite: name, title, ...(await run(options)) };
  } catch (error) {
    options.tell(`${name} failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
    return undefined;
  }
}

async function document({ machine, suites }: Report): Promise<void> {
  for (const result of suites) {
    await writePart(result.suite, `${suiteText(result)}\n\n${machineText(machine)}`);
  }
}

function chosenSuites(names: readonly string[]): readonly Suite[] {
  const unknown = names.filter((name) => SUITES.every((suite) => suite.name !== name));
  if (unknown.length > 0) {
    const known = SUITES.map(({ name }) => name).join(', ');
    throw new Error(`no suite is called ${unknown.join(', ')}; there are: ${known}, profile`);
  }
  return names.length === 0 ? SUITES : SUITES.filter(({ name }) => names.includes(name));
}

/** What was asked for on the command line; a fault of it ends the run with 2. */
function asked<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    return fail(error, 2);
  }
}

function count(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`\`${option}\` takes a whole number above 0, not \`${text}\``);
}

function fail(error: unknown, exitCode: number): never {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(exitCode);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
