import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { metricOf } from '../support/metric.js';
import { type Answered, type TestServer, testServer } from '../support/server.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const DEPLOY = {
  tenant: 'acme',
  subject: 'alice',
  action: 'deploy',
  resource: { type: 'service', id: 'billing', properties: { environment: 'prod' } },
  context: { comment: 'CHG-1234 roll back' },
};
const EXPORT = { tenant: 'acme', subject: 'mona', action: 'export', resource: 'report:q1' };
/** Denied by the policy alone. */
const FLY = { tenant: 'acme', subject: 'bob', action: 'fly', resource: 'document:1' };
const OPEN = 'countersign_store_breaker_open';
const MAX_STALENESS = 300_000;
/** Counted together with what needs approval: the quota of a tenant. */
const QUOTA = `rules:
  - id: quota
    kind: rate-limit
    match: {actions: [deploy, export]}
    limits: [{per: day, count: 3}]
    key: tenant
`;

interface Body {
  readonly code?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly approval?: { readonly id: string };
  readonly rate_limit?: { readonly remaining: number };
  readonly checks?: Readonly<Record<string, { status: string; age_seconds?: number }>>;
}

describe('while Postgres does not answer', function () {
  this.timeout(60_000);
  let proxy: TcpProxy;
  let server: TestServer;

  const start = async (settings = {}): Promise<TestServer> =>
    testServer(settings, {
      reach: async (databaseUrl) => {
        const proxied = await postgresProxy(databaseUrl);
        proxy = proxied.proxy;
        return proxied.url;
      },
    });
  const stop = async (): Promise<void> => {
    await proxy.mend();
    await server.close();
    await proxy.cut();
  };
  const check = (body: object, key?: string): Promise<Answered<Body>> =>
    server.call<Body>('POST', '/check', {
      body,
      ...(key !== undefined && { headers: { 'Idempotency-Key': key } }),
    });
  const assertUnavailable = ({ status, body, headers, text }: Answered<Body>): void => {
    assert.equal(status, 503, text);
    assert.equal(body.code, 'unavailable');
    assert.ok(Number(headers.get('retry-after')) >= 1, 'it says when to try again');
  };
  const statusOf = async (path: string): Promise<number> =>
    (await server.call('GET', path, { key: '' })).status;

  describe('in time', () => {
    before(async () => {
      server = await start();
    });
    after(stop);
    afterEach(async () => {
      await proxy.mend();
      await until(
        () => check(EXPORT),
        ({ status }) => status === 200,
      );
    });

    for (const [what, disturb] of [
      ['is silent', () => proxy.stall()],
      ['is slow', () => proxy.slow(700)],
      ['is gone', () => proxy.cut()],
    ] as const) {
      it(`checks that need it get 503 where it ${what}, others their answer`, async () => {
        await check(EXPORT);
        await disturb();
        for (let i = 0; i < 6; i += 1) {
          assertUnavailable(await check(EXPORT));
          assertUnavailable(await check(DEPLOY));
        }
        assertUnavailable(await check(FLY, `key-${what.replace(' ', '-')}`));
        assert.equal(await metricOf(server, OPEN, { store: 'postgres' }), 1);
        assert.equal((await check(FLY)).body.reason, 'no_matching_rule');
        assert.equal(await statusOf('/health/ready'), 200);
        assert.equal(await statusOf('/health'), 503);

        await proxy.mend();
        await until(
          () => check(EXPORT),
          ({ status }) => status === 200,
        );
        assert.equal(await metricOf(server, OPEN, { store: 'postgres' }), 0);
        assert.equal((await check(FLY, `key-${what.replace(' ', '-')}`)).status, 200);
        await until(
          () => statusOf('/health'),
          (status) => status === 200,
        );
      });
    }

    it('all who ask at once are answered', async () => {
      proxy.stall();
      const answers = await Promise.all(Array.from({ length: 400 }, () => check(EXPORT)));
      answers.forEach(assertUnavailable);
    });

    it('a call whose claim was not confirmed may be repeated', async () => {
      proxy.loseAnswersTo('INSERT INTO idempotent_answers');
      assertUnavailable(await check(FLY, 'unconfirmed'));
      const unanswered = sql`SELECT FROM idempotent_answers WHERE key = 'unconfirmed'`;
      // It gives the claim back by itself, on another connection, which mending would break.
      await until(
        () => unanswered.execute(server.database.database),
        ({ rows }) => rows.length === 0,
      );
      await proxy.mend();
      const again = await until(
        () => check(FLY, 'unconfirmed'),
        ({ status }) => status !== 503,
      );
      assert.equal(again.status, 200, again.text);
    });

    it('connections that broke are made anew', async () => {
      await Promise.all(Array.from({ length: 4 }, () => check(EXPORT)));
      proxy.reset();
      await until(
        () => check(EXPORT),
        ({ status }) => status === 200,
      );
    });
  });

  describe('to the commit of a grant that is used', () => {
    before(async () => {
      server = await start();
    });
    after(stop);

    it('the caller gets 503, grant and quota are spent, and a repetition gets its answer', async () => {
      const { body } = await server.call<{ files: object }>('GET', '/v1/bundles/1');
      const files = { ...body.files, 'governance/quota.yaml': QUOTA };
      const applied = await server.call('POST', '/v1/bundles', { body: { files } });
      assert.equal(applied.status, 201, applied.text);
      const opened = await check({ ...DEPLOY, approval: 'request' });
      const id = opened.body.approval?.id;
      const { key } = await server.key(['approver'], { tenant: 'acme', user: 'carol' });
      const approved = await server.call('POST', `/v1/approvals/${id}/approve`, { key, body: {} });
      assert.equal(approved.status, 200, approved.text);

      // The statement itself, not the column of that name.
      proxy.loseAnswersTo('commit\0');
      assertUnavailable(await check(DEPLOY, 'once'));
      await proxy.mend();
      const again = await until(
        () => check(DEPLOY, 'once'),
        ({ status }) => status === 200,
      );
      assert.deepEqual([again.body.decision, again.body.reason], ['allow', 'granted']);
      assert.equal((await check(DEPLOY)).body.decision, 'approval_required');
      const { rate_limit } = (await check({ ...EXPORT, dry_run: true })).body;
      assert.equal(rate_limit?.remaining, 1, 'one is spent, one would be now');
    });
  });

  describe('with a strict audit', () => {
    before(async () => {
      server = await start({ audit: 'strict' });
    });
    after(stop);

    it('every check gets 503', async () => {
      assert.equal((await check(FLY)).status, 200);
      proxy.stall();
      assertUnavailable(await check(FLY));
      await proxy.mend();
      await until(
        () => check(FLY),
        ({ status }) => status === 200,
      );
    });
  });

  describe('for longer than a policy may go without confirmation', () => {
    before(async () => {
      server = await start({ maxStalenessMs: MAX_STALENESS });
    });
    after(stop);

    it('checks are refused, and the server is not ready, until it is confirmed', async () => {
      await proxy.cut();
      const { body } = await server.call<Body>('GET', '/health', { key: '' });
      assert.deepEqual(body.checks?.policy, { status: 'ok', age_seconds: 0 });
      server.now += MAX_STALENESS;
      assert.equal((await check(FLY)).status, 200);
      assert.equal(await statusOf('/health/ready'), 200);
      assert.equal(await metricOf(server, 'countersign_policy_age_seconds'), 300);

      server.now += 1;
      assertUnavailable(await check(FLY));
      assertUnavailable(
        await server.call<Body>('POST', '/check/batch', { body: { checks: [FLY] } }),
      );
      assertUnavailable(await server.call<Body>('POST', '/v1/approvals', { body: DEPLOY }));
      assert.equal(await statusOf('/health/ready'), 503);
      const { body: unhealthy } = await server.call<Body>('GET', '/health', { key: '' });
      assert.equal(unhealthy.checks?.policy?.status, 'failed');
      assert.equal(unhealthy.checks?.policy?.age_seconds, 300);

      await proxy.mend();
      await until(
        () => check(FLY),
        ({ status }) => status === 200,
      );
      assert.equal(await statusOf('/health/ready'), 200);
    });
  });
});
