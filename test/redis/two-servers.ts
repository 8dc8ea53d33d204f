import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { type TestDatabase, testDatabase } from '../support/database.js';
import type { Config } from '../../src/platform/config.js';
import { createLogger } from '../../src/platform/log.js';
import { connectRedis } from '../../src/platform/redis.js';
import { metricOf } from '../support/metric.js';
import { type TestServer, testServer } from '../support/server.js';
import { until } from '../support/until.js';

/** Exports in an hour that each person has. */
export const LIMIT = 6;

/** Milliseconds after a loss in which a server takes no more than its share from Redis. */
export const RETURNING = 3_000;

/** A server, as far as these tests ask it. */
export interface Asked {
  call(
    method: string,
    path: string,
    options?: { readonly body?: unknown; readonly key?: string },
  ): Promise<{ readonly status: number; readonly text: string }>;
}

/** What became of a check. */
export interface Decided {
  readonly status: number;
  readonly allowed?: boolean;
  readonly code?: string;
  readonly rate_limit?: { readonly limit: number; readonly remaining: number };
}

/** A database in which Postgres tells nobody of a change, and a bundle for these tenants. */
export interface Ground {
  readonly database: TestDatabase;
  readonly policyDir: string;
  close(): Promise<void>;
}

/** Two servers in this process that share a Redis, and are told of changes by that alone. */
export interface TwoServers {
  readonly servers: readonly [TestServer, TestServer];
  readonly key: string;
  close(): Promise<void>;
}

/** Makes what two servers stand on. */
export async function openGround(tenants: readonly string[]): Promise<Ground> {
  const policyDir = await mkdtemp(join(tmpdir(), 'countersign-policy-'));
  await writePolicy(policyDir, tenants);
  const database = await testDatabase();
  await silenceNotifications(database);
  const close = async () => {
    await database.close();
    await rm(policyDir, { recursive: true, force: true });
  };
  return { database, policyDir, close };
}

/** Starts two servers on one Redis; resolves once each knows of the other. */
export async function startTwoServers(
  redisUrl: string,
  { tenants = ['acme'], ...settings }: Partial<Config> & { tenants?: readonly string[] } = {},
): Promise<TwoServers> {
  const ground = await openGround(tenants);
  const closers = [() => ground.close()];
  const start = async (more: Partial<Config> = {}): Promise<TestServer> => {
    const { database, policyDir } = ground;
    const shared = { redisUrl, databaseUrl: database.url, policyDir };
    const server = await testServer({ ...shared, ...settings, ...more });
    closers.push(() => server.close());
    return server;
  };
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const first = await start();
    const second = await start({ rootKey: first.rootKey });
    for (const server of [first, second]) {
      await until(
        () => metricOf(server, 'countersign_servers'),
        (count) => count === 2,
      );
    }
    return { servers: [first, second], key: first.rootKey, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Asks a server whether somebody may export; with `dry_run` that takes nothing. */
export async function exportOf(
  server: Asked,
  { key, tenant = 'acme', subject, ...more }: ExportAsked,
): Promise<Decided> {
  const body = { tenant, subject, action: 'export', resource: 'report:q1', ...more };
  const { status, text } = await server.call('POST', '/check', { key, body });
  return { status, ...(JSON.parse(text) as Omit<Decided, 'status'>) };
}

/** The same, again and again while Redis is late, on a machine that is busy with other things. */
export async function answerOf(server: Asked, asked: ExportAsked): Promise<Decided> {
  return until(
    () => exportOf(server, asked),
    ({ status }) => status === 200,
  );
}

/** Who wants to export. */
export interface ExportAsked {
  /** What the servers are asked with. */
  readonly key: string;
  readonly tenant?: string;
  readonly subject: string;
  readonly dry_run?: boolean;
}

/** So often is more than enough; should something be counted twice, the test says how many were left. */
const ROUNDS = 20;

/**
 * Asks the servers by turns, all at once and more often than the limit lets through, again and again until
 * nothing is left: a Redis that is late on a busy machine has some answered with 503. Says how many were
 * allowed in all.
 */
export async function takeAll(servers: readonly Asked[], asked: ExportAsked): Promise<number> {
  const turns = Array.from({ length: LIMIT }, () => servers).flat();
  const askAll = async () =>
    allowedOf(await Promise.all(turns.map((server) => exportOf(server, asked))));
  let allowed = 0;
  for (let round = 0; round < ROUNDS && allowed < LIMIT; round += 1) allowed += await askAll();
  return allowed + (await askAll());
}

/** How many were allowed. */
export function allowedOf(decisions: readonly Decided[]): number {
  return decisions.filter(({ allowed }) => allowed === true).length;
}

/** Has one server make somebody a manager; resolves once the others let them export. */
export async function tellOfManager(
  [teller, ...told]: readonly Asked[],
  { key, tenant = 'acme', subject }: ExportAsked,
): Promise<void> {
  const body = { add: [['g', subject, 'manager', tenant]] };
  const changed = await teller?.call('POST', '/v1/rules', { key, body });
  if (changed?.status !== 200) throw new Error(changed?.text);
  for (const server of told) {
    const ask = () => exportOf(server, { key, tenant, subject, dry_run: true });
    await until(ask, ({ allowed }) => allowed === true);
  }
}

/** What is logged where Redis refuses the credentials of an address, once it has. */
export async function logOfRefusal(redisUrl: string): Promise<string> {
  const lines: string[] = [];
  const log = createLogger('info', { write: (line: string) => void lines.push(line) });
  const redis = connectRedis(redisUrl, log);
  try {
    return await until(
      async () => lines.join(''),
      (text) => text.includes('WRONGPASS'),
    );
  } finally {
    redis.disconnect();
  }
}

/** Whoever wants to notify finds a function of this name before that of Postgres. */
async function silenceNotifications({ database, url }: TestDatabase): Promise<void> {
  const name = sql.id(new URL(url).pathname.slice(1));
  await sql`ALTER DATABASE ${name} SET search_path = public, pg_catalog`.execute(database);
  await sql`CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE sql AS ''`.execute(
    database,
  );
}

async function writePolicy(folder: string, tenants: readonly string[]): Promise<void> {
  const rules = tenants.flatMap((tenant) => [
    `p, manager, ${tenant}, report:*, export, allow`,
    ...['mona', 'maud', 'mick', 'mary', 'mark'].map((name) => `g, ${name}, manager, ${tenant}`),
  ]);
  const files: Readonly<Record<string, string>> = {
    'bundle.yaml': 'name: exports\nmodel: rbac-tenant\n',
    'rules/managers.csv': `${rules.join('\n')}\n`,
    'governance/exports.yaml': `rules:
  - id: exports
    kind: rate-limit
    match: {actions: [export]}
    limits: [{per: hour, count: ${LIMIT}}]
`,
  };
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
}
