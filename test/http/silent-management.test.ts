import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Route } from '../../src/http/route.js';
import { allRoutes } from '../../src/http/routes.js';
import { itAtOnce } from '../support/at-once.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';
import { stubServices } from '../support/stub-services.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

interface Body {
  readonly code?: string;
  readonly detail?: string;
  readonly added?: number;
  readonly items?: readonly unknown[];
}

/** Milliseconds in which everything is answered, and what a busy machine may add. */
const ANSWER_TIME = 5_000;
const SLACK = 2_000;

const memo = (role: string) => ['p', role, 'acme', 'memo:*', 'read', 'allow'];

/** Held while rules are written. */
const RULES_LOCK = 7_400_008;

/** A server behind a proxy that silences its Postgres. */
interface Setting {
  readonly server: TestServer;
  readonly proxy: TcpProxy;
  /** A bundle that adds one rule to that in force. */
  readonly files: object;
  /** Adds a rule for a role. */
  change(role: string): Promise<Answered<Body>>;
}

async function withServer(use: (setting: Setting) => Promise<void>): Promise<void> {
  let proxy: TcpProxy | undefined;
  const server = await testServer(
    {},
    {
      reach: async (databaseUrl) => {
        const proxied = await postgresProxy(databaseUrl);
        proxy = proxied.proxy;
        return proxied.url;
      },
    },
  );
  assert.ok(proxy !== undefined, 'it was reached through the proxy');
  try {
    const { body } = await server.call<{ files: object }>('GET', '/v1/bundles/1');
    const files = { ...body.files, 'rules/zoe.csv': 'g, zoe, editor, acme\n' };
    const change = (role: string): Promise<Answered<Body>> =>
      server.call<Body>('POST', '/v1/rules', { body: { add: [memo(role)] } });
    await use({ server, proxy, files, change });
    await proxy.mend();
    await untilMade(() => change('again'));
  } finally {
    await proxy.mend();
    await server.close();
    await proxy.cut();
  }
}

/** Makes a change as often as it takes: connections break with what was wrong. */
function untilMade(change: () => Promise<Answered<Body>>): Promise<Answered<Body>> {
  return until(change, ({ status }) => status === 200);
}

async function isLockFree({ server }: Setting): Promise<boolean> {
  const { rows } = await sql<{ free: boolean }>`
    SELECT pg_try_advisory_xact_lock(${RULES_LOCK}) AS free`.execute(server.database.database);
  return rows[0]?.free === true;
}

/** How many wait for the lock of the rules. */
async function countWaiting({ server }: Setting): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`
    SELECT count(*)::int AS waiting
    FROM pg_locks JOIN pg_database ON pg_database.oid = database AND datname = current_database()
    WHERE locktype = 'advisory' AND objid = ${RULES_LOCK} AND NOT granted`.execute(
    server.database.database,
  );
  return rows[0]?.waiting ?? 0;
}

/** A request that passes the schemas of the route. */
function ask({ server, files }: Setting, { method, path, access }: Route): Promise<Answered<Body>> {
  const bodies: Readonly<Record<string, object>> = {
    'POST /v1/bundles': { files },
    'POST /v1/bundles/validate': { files },
    'POST /v1/rules': { add: [memo('clerk')] },
    'POST /v1/keys': { name: 'x', roles: [] },
    'POST /v1/approvals': {
      tenant: 'acme',
      subject: 'alice',
      action: 'deploy',
      resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
      context: { comment: 'CHG-1234 roll back' },
    },
  };
  return server.call<Body>(
    method,
    path.replace(':number', '1').replace(':id', `apr_${'0'.repeat(32)}`),
    { body: bodies[`${method} ${path}`], ...(access === 'public' && { key: '' }) },
  );
}

/** What a call came to, and after how many milliseconds. */
async function timed(call: Promise<Answered<Body>>): Promise<Answered<Body> & { took: number }> {
  const asked = performance.now();
  const answer = await call;
  return { ...answer, took: performance.now() - asked };
}

function assertUnavailable({ status, body, headers, text }: Answered<Body>): void {
  assert.equal(status, 503, text);
  assert.equal(body.code, 'unavailable', text);
  assert.ok(Number(headers.get('retry-after')) >= 1, 'it says when to try again');
}

const managing = allRoutes(stubServices()).filter(({ path }) => !path.startsWith('/check'));
const NEEDS_NO_STORE = ['/health/live', '/health/ready', '/metrics'];

/** Asks every endpoint at once. */
async function assertAllAnswer(setting: Setting): Promise<void> {
  const answers = await Promise.all(
    managing.map(async (route) => ({ route, answer: await timed(ask(setting, route)) })),
  );
  for (const { route, answer } of answers) {
    const name = `${route.method} ${route.path}`;
    assert.ok(answer.took < ANSWER_TIME + SLACK, `${name} took ${answer.took} ms`);
    if (NEEDS_NO_STORE.includes(route.path)) assert.equal(answer.status, 200, name);
    else assertUnavailable(answer);
  }
}

describe('management while Postgres is silent', function () {
  this.timeout(60_000);

  itAtOnce({
    'every endpoint answers in time, on connections that are open and on new ones': () =>
      withServer(async (setting) => {
        setting.proxy.stall();
        await assertAllAnswer(setting);
        await assertAllAnswer(setting);
      }),

    'a change of rules that is given up leaves no lock behind': () =>
      withServer(async (setting) => {
        const { proxy, change } = setting;
        proxy.loseAnswersTo('INSERT INTO casbin');
        const given = timed(change('lost'));
        await until(
          () => isLockFree(setting),
          (isFree) => !isFree,
        );
        const answer = await given;
        assertUnavailable(answer);
        assert.ok(answer.took < ANSWER_TIME + SLACK, `it took ${answer.took} ms`);
        await until(() => isLockFree(setting), Boolean);
        await proxy.mend();
        const { body } = await untilMade(() => change('lost'));
        assert.equal(body.added, 1, 'it was taken back');
      }),

    'a bundle that goes silent while it waits for its turn does not keep it': () =>
      withServer(async (setting) => {
        const { server, proxy, files } = setting;
        let given: Promise<Answered<Body>> | undefined;
        await server.database.database.transaction().execute(async (transaction) => {
          await sql`SELECT pg_advisory_xact_lock(${RULES_LOCK})`.execute(transaction);
          given = server.call<Body>('POST', '/v1/bundles', { body: { files } });
          await until(
            () => countWaiting(setting),
            (waiting) => waiting > 0,
          );
          proxy.stall();
        });
        assert.equal(await isLockFree(setting), false, 'it holds the lock now');
        await until(() => isLockFree(setting), Boolean);
        await proxy.mend();
        assert.equal((await given)?.status, 503);
      }),

    'a change whose commit was not confirmed says that it may have been made': () =>
      withServer(async ({ proxy, change }) => {
        proxy.loseAnswersTo('commit\0');
        const answer = await change('kept');
        assertUnavailable(answer);
        assert.match(answer.body.detail ?? '', /it may be kept all the same/);
        await proxy.mend();
        const again = await untilMade(() => change('kept'));
        assert.equal(again.body.added, 0, 'it had been made');
      }),

    'what waits for another server that writes rules says so': () =>
      withServer(async ({ server, change }) => {
        await server.database.database.transaction().execute(async (transaction) => {
          await sql`SELECT pg_advisory_xact_lock(${RULES_LOCK})`.execute(transaction);
          const answer = await timed(change('held'));
          assertUnavailable(answer);
          assert.match(answer.body.detail ?? '', /another server changes rules/);
          assert.ok(answer.took < ANSWER_TIME + SLACK, `it took ${answer.took} ms`);
        });
      }),
  });
});
