import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SystemRole } from '../../src/identity/system-roles.js';
import type { Config } from '../../src/platform/config.js';
import { createLogger } from '../../src/platform/log.js';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server.js';
import { type TestDatabase, testDatabase } from './database.js';

/** Monday, noon in Berlin: the demo company's office is open. */
export const OFFICE_HOURS = Date.parse('2026-03-30T10:00:00Z');

/** What the demo bundle is called with where a test gives nothing else. */
export const DEMO_BUNDLE = new URL('../../policies/', import.meta.url).pathname;

/** What a call came to. */
export interface Answered<Body = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
  readonly text: string;
}

/** A key for a call; made through the API. */
export interface TestKey {
  readonly id: string;
  readonly key: string;
}

/** A real server in this process, on a database of its own, with the demo bundle and a fixed clock. */
export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly rootKey: string;
  readonly database: TestDatabase;
  readonly running: RunningServer;
  /** The time that the server believes it is; a test may set it. Milliseconds since the epoch. */
  now: number;
  /** Everything that the server has logged. */
  readonly log: readonly string[];
  call<Body = Record<string, unknown>>(
    method: string,
    path: string,
    options?: {
      /** The root key unless given; '' for none. */
      readonly key?: string;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Answered<Body>>;
  /** Makes a key with the root key. */
  key(
    roles: readonly SystemRole[],
    options?: { readonly tenant?: string; readonly user?: string },
  ): Promise<TestKey>;
  close(): Promise<void>;
}

/** What a test server is given besides its settings. */
export interface TestServerOptions {
  /** By which address it reaches its database; its own unless given. */
  reach?(databaseUrl: string): Promise<string>;
  /** What it decides by; the fastest engine unless given. */
  readonly buildEngine?: ServerOptions['buildEngine'];
}

/** Starts a server; `settings` replace those that tests usually have. */
export async function testServer(
  settings: Partial<Config> = {},
  { reach = async (url) => url, buildEngine }: TestServerOptions = {},
): Promise<TestServer> {
  const database = await testDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'countersign-test-'));
  const rootKey = randomBytes(32).toString('base64url');
  const log: string[] = [];
  const config: Config = {
    host: '127.0.0.1',
    port: 0,
    databaseUrl: await reach(database.url),
    dataDir,
    policyDir: DEMO_BUNDLE,
    rootKey,
    audit: 'buffered',
    auditSpillMax: 1024 ** 3,
    drainMs: 0,
    logLevel: 'info',
    workers: 1,
    limitsOnRedisLoss: 'local',
    // Tests move the clock at will.
    maxStalenessMs: Number.MAX_SAFE_INTEGER,
    pollMs: 5_000,
    metricsPublic: false,
    ...settings,
  };
  const state = { now: OFFICE_HOURS };
  const running = await startServer(config, {
    log: createLogger('info', { write: (line: string) => void log.push(line) }),
    clock: { now: () => state.now },
    ...(buildEngine && { buildEngine }),
  });

  const server: TestServer = {
    url: running.url,
    port: Number(new URL(running.url).port),
    rootKey,
    database,
    running,
    log,
    get now() {
      return state.now;
    },
    set now(now) {
      state.now = now;
    },
    async call<Body>(
      method: string,
      path: string,
      {
        key = rootKey,
        body,
        headers = {},
      }: {
        key?: string;
        body?: unknown;
        headers?: Readonly<Record<string, string>>;
      } = {},
    ): Promise<Answered<Body>> {
      const response = await fetch(`${running.url}${path}`, {
        method,
        headers: {
          ...(key === '' ? {} : { Authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get('content-type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: (isJson ? JSON.parse(text) : undefined) as Body,
      };
    },
    async key(roles, options = {}) {
      const made = await server.call<TestKey>('POST', '/v1/keys', {
        body: { name: `${roles.join('+') || 'none'} key`, roles, ...options },
      });
      if (made.status !== 201) throw new Error(made.text);
      return made.body;
    },
    async close() {
      await running.stop();
      await database.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
  return server;
}
