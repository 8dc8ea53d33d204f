/**
 * Says where the processor time of the server goes, function by function.
 *
 *   npm run bench -- profile                     profiles `POST /check` of this checkout
 *   npm run bench -- profile --batch 100         that of `POST /check/batch`
 *   npm run bench -- profile --workers 2         that of as many workers, beside that of one
 *   npm run bench -- profile --checkout DIR      profiles that of another one (its `dist/`)
 *   npm run bench -- profile FILE.cpuprofile     reads a profile that was taken already
 *
 * A profile of anything else comes from Node itself: `node --cpu-prof --cpu-prof-dir=DIR PROGRAM`
 * writes it when the program ends (SIGTERM will do for the server). Shares are of busy time: what the
 * process slept is left out. Self time is that of a function without what it calls; `(program)` is
 * native code outside any function, most of it Node's sockets and HTTP parser.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLoadGenerator } from './http-load.js';
import { warmUp } from './http-rounds.js';
import { interleave, spreadOf } from './measure.js';
import { startCountersign } from './servers/countersign.js';
import type { RunOptions } from './suites/suite.js';
import { GOVERNANCE_WITHOUT_LIMITS, rbacWorkload } from './workloads.js';

/** As V8 writes it: times in microseconds of the system's monotonic clock. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function, or a part of the program, and its share of busy time, from 0 to 1. */
export interface Share {
  readonly name: string;
  readonly share: number;
}

/** Where the time went, in one process or several of one program. */
export interface ProfileSummary {
  /** By function, self time. */
  readonly functions: readonly Share[];
  /** By folder of ours, package, or part of Node. */
  readonly parts: readonly Share[];
}

/** A span of the system's monotonic clock, in microseconds. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/** Seconds under load that are looked at. */
const PROFILED = 6;

/** How often one process and several are profiled in turn. */
const TURNS = 3;

/** What is profiled. */
export interface ProfileOptions extends Pick<RunOptions, 'checkout' | 'rules'> {
  /** Checks in one request. */
  readonly batch?: number;
  /** Off unless given. */
  readonly audit?: 'off' | 'buffered';
  /** One unless given. */
  readonly workers?: number;
  /** The bundle's governance file; that of the workloads unless given. */
  readonly governance?: string;
}

/** A profile of a server that was measured under the same load. */
export interface ServerProfile extends ProfileSummary {
  /** Microseconds of processor time that it used for one request. */
  readonly cpu: number;
}

/** Profiles the server under the load of `http`: three governance rules unless told otherwise. */
export async function profileServer({
  checkout,
  rules = 10_000,
  batch = 1,
  audit = 'off',
  ...options
}: ProfileOptions): Promise<ServerProfile> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-profile-'));
  const generator = startLoadGenerator();
  try {
    const server = await startCountersign({
      workload: rbacWorkload(rules, { allowed: true }),
      audit,
      nodeFlags: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=250'],
      checkout,
      batch,
      ...options,
    });
    await warmUp(server, generator);
    const from = monotonic();
    const { cpu } = await generator.load(server, PROFILED);
    const to = monotonic();
    await server.stop();
    const files = await readdir(folder);
    const profiles = await Promise.all(files.map((file) => readProfile(join(folder, file))));
    return { ...summarize(profiles, { from, to }), cpu };
  } finally {
    generator.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Profiles one worker and several in turn, and says what each part of the program costs a request:
 * its share of busy time, of the processor time that the operating system charges for a request.
 */
export async function profileWorkers(options: ProfileOptions, workers: number): Promise<string> {
  const counts = [1, workers];
  const [one = [], many = []] = await interleave(counts, TURNS, (count) =>
    profileServer({ ...options, workers: count, governance: GOVERNANCE_WITHOUT_LIMITS }),
  );
  const costOf = (profiles: readonly ServerProfile[], part: string): number => {
    const costs = profiles.map(({ parts, cpu }) => {
      return cpu * (parts.find(({ name }) => name === part)?.share ?? 0);
    });
    return spreadOf(costs).median;
  };
  const names = new Set([...one, ...many].flatMap(({ parts }) => parts.map(({ name }) => name)));
  const rows = [...names]
    .map((name) => ({ name, first: costOf(one, name), second: costOf(many, name) }))
    .sort((a, b) => b.first - a.first)
    .slice(0, 15)
    .map(({ name, first, second }) => row(`\`${name}\``, first, second));
  const all = (profiles: readonly ServerProfile[]) =>
    spreadOf(profiles.map(({ cpu }) => cpu)).median;
  return [
    `| one worker | ${workers} workers | times | part |`,
    '| ---: | ---: | ---: | --- |',
    ...rows,
    row('all of it', all(one), all(many)),
  ].join('\n');
}

function row(name: string, one: number, many: number): string {
  return `| ${one.toFixed(1)} µs | ${many.toFixed(1)} µs | ${(many / one).toFixed(2)} | ${name} |`;
}

/** Reads a `.cpuprofile`. */
export async function readProfile(file: string): Promise<CpuProfile> {
  return JSON.parse(await readFile(file, 'utf8')) as CpuProfile;
}

/** Adds the self times of all processes up, of the span where one is given. */
export function summarize(profiles: readonly CpuProfile[], span?: Span): ProfileSummary {
  const functions = new Map<string, number>();
  const parts = new Map<string, number>();
  for (const profile of profiles) addUp(profile, span, { functions, parts });
  return { functions: shares(functions), parts: shares(parts) };
}

function addUp(
  profile: CpuProfile,
  span: Span | undefined,
  { functions, parts }: Record<'functions' | 'parts', Map<string, number>>,
): void {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  let time = profile.startTime;
  for (const [index, id] of profile.samples.entries()) {
    const took = profile.timeDeltas[index] ?? 0;
    time += took;
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === '(idle)') continue;
    if (span !== undefined && (time < span.from || time > span.to)) continue;
    const file = shortPath(frame.url);
    const place = file === '' ? '' : ` ${file}:${frame.lineNumber + 1}`;
    add(functions, `${frame.functionName || '(anonymous)'}${place}`, took);
    add(parts, partOf(file, frame.functionName), took);
  }
}

/** The summary as Markdown: the parts, then as many functions as asked for. */
export function profileTable({ functions, parts }: ProfileSummary, count = 25): string {
  const rows = (all: readonly Share[]): string[] =>
    all.slice(0, count).map(({ name, share }) => `| ${(share * 100).toFixed(1)} % | \`${name}\` |`);
  return [
    '| busy time | part |',
    '| ---: | --- |',
    ...rows(parts),
    '',
    '| self time | function |',
    '| ---: | --- |',
    ...rows(functions),
  ].join('\n');
}

function monotonic(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}

function shares(sums: ReadonlyMap<string, number>): Share[] {
  const total = [...sums.values()].reduce((sum, value) => sum + value, 0);
  return [...sums]
    .map(([name, value]) => ({ name, share: value / total }))
    .sort((a, b) => b.share - a.share);
}

/** `src/http/serve.js`, `pino/lib/tools.js`, `node:_http_server`. */
function shortPath(url: string): string {
  const dependency = url.lastIndexOf('/node_modules/');
  if (dependency !== -1) return url.slice(dependency + '/node_modules/'.length);
  const own = url.lastIndexOf('/dist/');
  return own === -1 ? url : `src/${url.slice(own + '/dist/'.length)}`;
}

function partOf(file: string, functionName: string): string {
  if (file === '') return functionName.startsWith('(') ? functionName : 'native functions';
  const [first = '', second = ''] = file.split('/');
  const deep = first === 'src' || first === 'node:internal' || first.startsWith('@');
  return deep ? `${first}/${second}` : first;
}
