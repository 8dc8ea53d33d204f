import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RuleLine } from '../../src/vocabulary.js';
import { HERE } from '../checkout.js';
import { bundleOf, checkBody, type Workload } from '../workloads.js';
import type { Peer, Target } from './peer.js';
import { startProcess } from './process.js';

/** How the server under measurement is started. */
export interface CountersignOptions {
  readonly workload: Workload;
  readonly audit: 'off' | 'buffered';
  /** The bundle's governance file; that of the workloads unless given. */
  readonly governance?: string;
  /** The checkout whose `dist/` is measured; this one unless given. */
  readonly checkout?: string | undefined;
  /** An embedded Postgres of its own unless given. */
  readonly databaseUrl?: string;
  /** None unless given. */
  readonly redisUrl?: string | undefined;
  /** One of its own unless given; servers on one database share theirs. */
  readonly rootKey?: string;
  readonly workers?: number;
  /** Flags of Node, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
  /** Checks in one request: more than 1 asks `/check/batch`. */
  readonly batch?: number;
}

/** A running server, and what only it can do. */
export interface Countersign extends Peer {
  /** The values of metrics, each summed over its labels. */
  metrics(...names: readonly string[]): Promise<readonly number[]>;
  addRule(rule: RuleLine): Promise<void>;
  /** Applies another bundle through the API; resolves once it is in force. */
  apply(workload: Workload): Promise<void>;
  /** Whether the check with this body is allowed. */
  allows(body: object): Promise<boolean>;
  /** Throws where the check with this body is not allowed. */
  expectAllowed(body: object): Promise<void>;
}

/**
 * Starts the built server as a user would, with a fresh data directory and with the workload as its
 * bundle. What loads it asks with an API key of the role `service`.
 */
export async function startCountersign(options: CountersignOptions): Promise<Countersign> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
  // Where root runs this, the database's own user passes through.
  await chmod(folder, 0o711);
  await writeBundle(join(folder, 'policies'), options);
  const { rootKey = randomBytes(24).toString('hex') } = options;
  const server = await launch(folder, rootKey, options);
  const origin = server.said;
  const target = targetOf(options, origin, await makeServiceKey(origin, rootKey));
  return {
    name: `audit ${options.audit}`,
    pid: server.pid,
    target,
    metrics: (...names) => readMetrics(origin, rootKey, names),
    addRule: async (rule) => {
      await post(`${origin}/v1/rules`, rootKey, { add: [rule] }, 200);
    },
    apply: async (workload) => {
      const files = Object.fromEntries(bundleOf(workload, options.governance));
      await post(`${origin}/v1/bundles`, rootKey, { files }, 201);
    },
    allows: async (body) => {
      const answer = await post(`${origin}/check`, rootKey, body, 200);
      return 'allowed' in answer && answer.allowed === true;
    },
    expectAllowed: async (body) => {
      const answer = await post(`${origin}/check`, rootKey, body, 200);
      if (!('allowed' in answer && answer.allowed === true))
        throw new Error(JSON.stringify(answer));
    },
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function launch(folder: string, rootKey: string, options: CountersignOptions) {
  const { audit, checkout = HERE, databaseUrl, redisUrl, workers = 1, nodeFlags = [] } = options;
  return startProcess({
    command: process.execPath,
    // As `npm start` and the image start it.
    args: ['--max-semi-space-size=32', ...nodeFlags, join(checkout, 'dist', 'main.js'), 'serve'],
    cwd: folder,
    env: {
      PORT: '0',
      COUNTERSIGN_AUDIT: audit,
      COUNTERSIGN_DATA_DIR: join(folder, 'data'),
      COUNTERSIGN_DRAIN: '1s',
      COUNTERSIGN_POLICY_DIR: join(folder, 'policies'),
      COUNTERSIGN_ROOT_KEY: rootKey,
      COUNTERSIGN_WORKERS: String(workers),
      ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
    },
    says: /^listening on (http:\/\/\S+)$/,
  });
}

async function writeBundle(
  folder: string,
  { workload, governance }: CountersignOptions,
): Promise<void> {
  for (const [path, text] of bundleOf(workload, governance)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

async function makeServiceKey(origin: string, rootKey: string): Promise<string> {
  const made = await post(`${origin}/v1/keys`, rootKey, { name: 'bench', roles: ['service'] }, 201);
  if (!('key' in made && typeof made.key === 'string')) throw new Error('the answer has no key');
  return made.key;
}

async function post(url: string, key: string, body: object, expected: number): Promise<object> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (answer.status !== expected) throw new Error(`${url}: ${await answer.text()}`);
  return (await answer.json()) as object;
}

function targetOf(
  { workload, batch = 1 }: CountersignOptions,
  origin: string,
  key: string,
): Target {
  const bodies = workload.checks.map(checkBody);
  const batches = Array.from({ length: Math.floor(bodies.length / batch) }, (_, index) => ({
    checks: bodies.slice(index * batch, (index + 1) * batch),
  }));
  return {
    origin,
    path: batch === 1 ? '/check' : '/check/batch',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    bodies: (batch === 1 ? bodies : batches).map((body) => JSON.stringify(body)),
    expect: '"decision":"allow"',
    decisions: batch,
  };
}

async function readMetrics(
  origin: string,
  rootKey: string,
  names: readonly string[],
): Promise<readonly number[]> {
  const answer = await fetch(`${origin}/metrics`, {
    headers: { Authorization: `Bearer ${rootKey}` },
  });
  const lines = (await answer.text()).split('\n');
  return names.map((name) => {
    const values = lines.filter(
      (line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`),
    );
    if (values.length === 0) throw new Error(`the server has no metric \`${name}\``);
    return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  });
}
