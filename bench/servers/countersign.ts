import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bundleOf, checkBody, type Workload } from '../workloads.js';
import type { Peer, Target } from './peer.js';
import { startProcess } from './process.js';

const HERE = new URL('../..', import.meta.url).pathname;

/** How the server under measurement is started. */
export interface CountersignOptions {
  readonly workload: Workload;
  readonly audit: 'off' | 'buffered';
  /** The checkout whose `dist/` is measured; this one unless given. */
  readonly checkout?: string | undefined;
  readonly workers?: number;
  /** Flags of Node, such as `--cpu-prof`. */
  readonly nodeFlags?: readonly string[];
  /** Checks in one request: more than 1 asks `/check/batch`. */
  readonly batch?: number;
}

/** A running server, and what only it can tell. */
export interface Countersign extends Peer {
  /** The number of a metric, summed over its labels. */
  metric(name: string): Promise<number>;
}

/**
 * Starts the built server as a user would, with an embedded Postgres and a fresh data directory, and
 * with the workload as its bundle. Asks it with an API key of the role `service`.
 */
export async function startCountersign(options: CountersignOptions): Promise<Countersign> {
  const { workload, audit, checkout = HERE, workers = 1, nodeFlags = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
  // Where root runs this, the database's own user passes through.
  await chmod(folder, 0o711);
  await writeBundle(join(folder, 'policies'), workload);
  const rootKey = randomBytes(24).toString('hex');
  const server = await startProcess({
    command: process.execPath,
    args: [...nodeFlags, join(checkout, 'dist', 'main.js'), 'serve'],
    cwd: folder,
    env: {
      PORT: '0',
      COUNTERSIGN_AUDIT: audit,
      COUNTERSIGN_DATA_DIR: join(folder, 'data'),
      COUNTERSIGN_DRAIN: '1s',
      COUNTERSIGN_POLICY_DIR: join(folder, 'policies'),
      COUNTERSIGN_ROOT_KEY: rootKey,
      COUNTERSIGN_WORKERS: String(workers),
    },
    ready: /^listening on (http:\/\/\S+)$/,
  });
  const origin = server.match[1] ?? '';
  const target = targetOf(options, origin, await makeServiceKey(origin, rootKey));
  return {
    name: `countersign, audit ${audit}`,
    pid: server.pid,
    target,
    metric: (name) => readMetric(origin, rootKey, name),
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeBundle(folder: string, workload: Workload): Promise<void> {
  for (const [path, text] of bundleOf(workload)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

async function makeServiceKey(origin: string, rootKey: string): Promise<string> {
  const answer = await fetch(`${origin}/v1/keys`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${rootKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'bench', roles: ['service'] }),
  });
  if (answer.status !== 201) throw new Error(`no key was made: ${await answer.text()}`);
  const { key } = (await answer.json()) as { key: string };
  return key;
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

async function readMetric(origin: string, rootKey: string, name: string): Promise<number> {
  const answer = await fetch(`${origin}/metrics`, {
    headers: { Authorization: `Bearer ${rootKey}` },
  });
  const lines = (await answer.text()).split('\n');
  const values = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  if (values.length === 0) throw new Error(`the server has no metric \`${name}\``);
  return values.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
