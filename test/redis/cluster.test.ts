import assert from 'node:assert/strict';
import { metricOf } from '../support/metric.js';
import { type ClusterRedis, installed, startClusterRedis } from '../support/redis-kinds.js';
import { until } from '../support/until.js';
import {
  allowedOf,
  answerOf,
  type Decided,
  exportOf,
  LIMIT,
  logOfRefusal,
  RETURNING,
  startTwoServers,
  takeAll,
  tellOfManager,
  type TwoServers,
} from './two-servers.js';

const MESSAGES = 'countersign_change_messages_total';
const UNCOUNTED = 'countersign_limits_without_redis_total';
const PASSWORD = 'correct-horse';

describe('two servers on a cluster of Redis', function () {
  this.timeout(30_000);
  let redis: ClusterRedis;
  let two: TwoServers;
  /** By the master that has their counters. */
  let tenants: readonly [string, string, string];
  before(async function () {
    const started = await installed(() => startClusterRedis(PASSWORD));
    if (started === undefined) return this.skip();
    redis = started;
    tenants = [await tenantOn(0), await tenantOn(1), await tenantOn(2)];
    two = await startTwoServers(redis.url, { tenants });
  });
  after(async () => {
    await two?.close();
    await redis?.close();
  });

  const tenantOn = async (master: number): Promise<string> => {
    for (let i = 0; ; i += 1) {
      if ((await redis.masterOf(`{tenant-${i}}`)) === master) return `tenant-${i}`;
    }
  };

  it('count the limits of tenants on each of its nodes together, exactly', async () => {
    const { servers, key } = two;
    for (const tenant of tenants) {
      assert.equal(await takeAll(servers, { key, tenant, subject: 'mona' }), LIMIT);
    }
    for (const server of servers) {
      assert.equal(await metricOf(server, UNCOUNTED, { how: 'local' }), 0);
    }
  });

  it('are told of changes through it, without a word from Postgres', async () => {
    const { servers, key } = two;
    await tellOfManager(servers, { key, tenant: tenants[0], subject: 'nina' });
    assert.equal(await metricOf(servers[1], MESSAGES, { way: 'postgres' }), 0);
    assert.equal(await metricOf(servers[1], MESSAGES, { way: 'redis', outcome: 'new' }), 1);
  });

  it('say that the password is wrong, and not which it is', async () => {
    const log = await logOfRefusal(redis.url.replace(PASSWORD, 'wrong-horse'));
    assert.doesNotMatch(log, /wrong-horse/);
  });

  it('count its share of the limits of a node that is away, and those of others as ever', async () => {
    const { servers, key } = two;
    const [server] = servers.toReversed();
    const [lost, kept] = tenants;
    assert.ok(server !== undefined, 'there is a second server, which knows of the first');
    const ask = (tenant: string) => answerOf(server, { key, tenant, subject: 'maud' });
    await redis.masters[0]?.kill();
    const decided: Record<'lost' | 'kept', Decided[]> = { lost: [], kept: [] };
    for (let i = 0; i <= LIMIT; i += 1) {
      decided.lost.push(await ask(lost));
      decided.kept.push(await ask(kept));
    }
    assert.equal(allowedOf(decided.lost), LIMIT / 2);
    assert.equal(allowedOf(decided.kept), LIMIT);
    assert.equal(await metricOf(server, UNCOUNTED, { how: 'local' }), LIMIT + 1);
    const node = `"node":"127.0.0.1:${redis.masters[0]?.port}"`;
    const saysOfNode = (what: string) =>
      server.log.some((line) => line.includes(node) && line.includes(what));
    assert.ok(saysOfNode('cannot be reached'), server.log.join(''));

    await redis.masters[0]?.start();
    await until(async () => saysOfNode('is back'), Boolean);
    // Others may not have told of what they counted, whoever it was for.
    const returning: Decided[] = [];
    const askMore = async () => {
      returning.push(await exportOf(server, { key, tenant: kept, subject: 'mick' }));
    };
    while (allowedOf(returning) < LIMIT / 2) await askMore();
    for (let i = 0; i < LIMIT / 2; i += 1) await askMore();
    assert.equal(allowedOf(returning), LIMIT / 2);
    const { rate_limit } = await until(
      () => {
        server.now += RETURNING;
        return exportOf(server, { key, tenant: lost, subject: 'maud', dry_run: true });
      },
      (answer) => answer.rate_limit?.limit === LIMIT,
    );
    // What it had counted by itself is there.
    assert.equal(rate_limit?.remaining, LIMIT / 2 - 1);
  });

  for (const { onLoss, subject, ofLost } of [
    { onLoss: 'deny', subject: 'mary', ofLost: { status: 503, allowed: 0, how: 'deny' } },
    { onLoss: 'allow', subject: 'mark', ofLost: { status: 200, allowed: LIMIT + 1, how: 'allow' } },
  ] as const) {
    it(`do as \`${onLoss}\` says where a node is away, for its tenants alone`, async () => {
      const pair = await startTwoServers(redis.url, { tenants, limitsOnRedisLoss: onLoss });
      const [server] = pair.servers;
      const asked = { key: pair.key, subject };
      const [lost, kept] = tenants;
      await redis.masters[0]?.kill();
      try {
        const decided: Record<'lost' | 'kept', Decided[]> = { lost: [], kept: [] };
        for (let i = 0; i <= LIMIT; i += 1) {
          decided.lost.push(await exportOf(server, { ...asked, tenant: lost }));
          decided.kept.push(await answerOf(server, { ...asked, tenant: kept }));
        }
        assert.deepEqual([...new Set(decided.lost.map(({ status }) => status))], [ofLost.status]);
        assert.equal(allowedOf(decided.lost), ofLost.allowed);
        assert.equal(allowedOf(decided.kept), LIMIT);
        assert.ok((await metricOf(server, UNCOUNTED, { how: ofLost.how })) > 0);
      } finally {
        await redis.masters[0]?.start();
        await pair.close();
      }
    });
  }
});
