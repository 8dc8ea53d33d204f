import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Workload } from '../workloads.js';
import { cerbosPolicy } from './cerbos-policy.js';
import type { Peer } from './peer.js';
import { startProcess } from './process.js';

/** Where the Cerbos server is; undefined where npm has none for this machine. */
export function findCerbos(): string | undefined {
  const platform = `${process.platform}-${process.arch}`;
  // The package has no entry of its own: it is one program.
  const { resolve } = createRequire(import.meta.url);
  try {
    const manifest = resolve(`@cerbos/cerbos-${platform}/package.json`);
    return manifest.replace(/package\.json$/, `cerbos-${platform}`);
  } catch {
    return undefined;
  }
}

/**
 * Starts Cerbos on the rules of a workload, kept in files; without audit and telemetry, and logging
 * errors alone. It gets both processors, as Go programs do unless told otherwise.
 */
export async function startCerbos(program: string, workload: Workload): Promise<Peer> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-bench-cerbos-'));
  const policies = join(folder, 'policies');
  await mkdir(policies);
  const { files, body } = cerbosPolicy(workload);
  for (const [name, text] of files) await writeFile(join(policies, name), text);
  await chmod(program, 0o755);
  const [http, grpc] = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${http}`;
  const config = join(folder, 'cerbos.json');
  await writeFile(config, JSON.stringify(configuration(policies, http, grpc)));
  const server = await startProcess({
    command: program,
    args: ['server', '--log-level=error', `--config=${config}`],
    answers: `${origin}/_cerbos/health`,
  });
  return {
    name: 'Cerbos',
    pid: server.pid,
    target: {
      origin,
      path: '/api/check/resources',
      headers: { 'Content-Type': 'application/json' },
      bodies: workload.checks.map((check) => JSON.stringify(body(check))),
      expect: '"EFFECT_ALLOW"',
      decisions: 1,
    },
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(policies: string, http: number, grpc: number): object {
  return {
    server: { httpListenAddr: `127.0.0.1:${http}`, grpcListenAddr: `127.0.0.1:${grpc}` },
    audit: { enabled: false },
    telemetry: { disabled: true },
    storage: { driver: 'disk', disk: { directory: policies, watchForChanges: false } },
  };
}

/** A port that was free a moment ago: Cerbos does not tell which it took. */
async function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}
