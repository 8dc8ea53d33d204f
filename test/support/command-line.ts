import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { runCommandLine } from '../../src/cli/program.js';
import type { ServeOptions } from '../../src/cli/surroundings.js';

/** What a command came to. */
export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command finds around it; nothing of this process's own unless given. */
export interface Around {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly serve?: (options: ServeOptions) => Promise<number>;
  /** Whether the streams are terminals. */
  readonly isTTY?: boolean;
}

/** Whether this machine has programs that a test would run; one that lacks them skips the test. */
export function hasPrograms(...names: readonly string[]): boolean {
  return names.every((name) => spawnSync(name, ['--version']).status === 0);
}

/** The repository: where the demo bundle is `policies`. */
export const REPOSITORY = new URL('../../', import.meta.url).pathname.replace(/\/$/, '');

/** Runs a command line in this process. */
export async function commandLine(argv: readonly string[], around: Around = {}): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const { isTTY = false } = around;
  const exitCode = await runCommandLine(argv, {
    env: around.env ?? {},
    cwd: around.cwd ?? REPOSITORY,
    stdout: { write: (text: string) => (stdout += text), isTTY },
    stderr: { write: (text: string) => (stderr += text), isTTY },
    fetch: around.fetch ?? unreachable,
    serve: around.serve ?? (() => Promise.reject(new Error('this test serves nothing'))),
  });
  return { exitCode, stdout, stderr };
}

const unreachable = (): Promise<never> =>
  Promise.reject(new TypeError('fetch failed', { cause: codeError('ECONNREFUSED') }));

/** An error as the network gives it. */
export function codeError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** One call that a stubbed server was asked. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

/** A server that answers each call in turn, and remembers what it was asked. */
export function answering(...answers: { readonly status?: number; readonly body: unknown }[]): {
  readonly fetch: typeof globalThis.fetch;
  readonly asked: Asked[];
} {
  const asked: Asked[] = [];
  const fetch = async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    asked.push({
      method: init.method ?? 'GET',
      url: String(url),
      authorization: headers.get('authorization') ?? undefined,
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
    });
    const answer = answers[asked.length - 1];
    if (answer === undefined) throw new Error(`one call too many: ${String(url)}`);
    const { status = 200, body } = answer;
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  };
  return { fetch, asked };
}

/** A directory of its own for a test, with these files. */
export async function temporaryDirectory(files: Readonly<Record<string, string>> = {}): Promise<{
  readonly path: string;
  write(name: string, text: string): Promise<void>;
  remove(): Promise<void>;
}> {
  const path = await mkdtemp(join(tmpdir(), 'countersign-cli-'));
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  };
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { path, write, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A small bundle without faults, in a folder `shop`. */
export const SHOP: Readonly<Record<string, string>> = {
  'shop/bundle.yaml': 'name: shop\nmodel: rbac-tenant\n',
  'shop/rules/rules.csv': [
    'p, clerk, acme, till:*, open, allow',
    'p, clerk, globex, till:*, open, allow',
    'g, ann, clerk, acme',
    'g, bob, clerk, globex',
    '',
  ].join('\n'),
  'shop/governance/tills.yaml': `rules:
  - id: reason
    kind: require-comment
    match: {actions: [open], tenants: [acme]}
    comment: {min_length: 3}
`,
  'shop/tests/tills.yaml': `tests:
  - name: clerks open tills
    check: {tenant: acme, subject: ann, action: open, resource: "till:1", context: {comment: lunch}}
    expect: {decision: allow, reason: allowed}
  - name: clerks say why
    check: {tenant: acme, subject: ann, action: open, resource: "till:1"}
    expect: {decision: deny, reason: comment_required}
`,
};
