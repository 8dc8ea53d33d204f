import assert from 'node:assert/strict';
import { once } from 'node:events';
import { decisionIds, lostRequests, wrongAnswers } from './judge.js';
import { type Kind, type Load, startLoad } from './load.js';
import { Oracle } from './oracle.js';
import { SEED } from './random.js';
import { type Node, startWorld, until, type World } from './world.js';

/** What stores are asked for; `write` comes beside them. */
const ASKING: readonly Kind[] = ['read', 'batch', 'limited', 'limited', 'vault', 'vault'];

describe(`three servers under load (seed ${SEED})`, function () {
  this.timeout(60_000);
  let world: World;
  let oracle: Oracle;
  let load: Load;
  let killed: Node | undefined;
  /** Given by servers that were not killed; the audit must have them all in the end. */
  const given: string[] = [];

  /** Clients of all servers, and one of each that reads without a pause. */
  const start = (mix: readonly Kind[]): void => {
    const readers = world.nodes.map((node) => ({ mix: ['read'], nodes: [node] }) as const);
    load = startLoad(world, [...Array.from({ length: 9 }, () => ({ mix })), ...readers], SEED);
  };
  /** Nothing wrong, nothing unanswered so far; then forgets it. */
  const judge = async (): Promise<void> => {
    await load.stop();
    await oracle.follow();
    assert.deepEqual(lostRequests(load.unanswered, killed), []);
    assert.deepEqual(wrongAnswers(load.answers, oracle, world), []);
    given.push(...decisionIds(load.answers.filter(({ node }) => node !== killed)));
  };
  const running = () => world.nodes.filter((node) => node !== killed);
  /** Every server that runs answers every kind of request, the load going on. */
  const recovered = (kinds: readonly Kind[]): Promise<void> =>
    until(() => {
      const latest = (kind: Kind, node: Node) =>
        load.answers.findLast((answer) => answer.kind === kind && answer.node === node);
      return running().every((node) => kinds.every((kind) => latest(kind, node)?.status === 200));
    });
  /** None misses a store. */
  const areWell = async (): Promise<boolean> => {
    const states = await Promise.all(running().map((node) => node.call('GET', '/health')));
    return states.every(({ status }) => status === 200);
  };
  /** A fault under load, for as long as it takes some answers of what asks the store in question. */
  const suffer = async (
    strike: () => unknown,
    {
      heal = () => undefined,
      store,
      mix = [...ASKING, 'write'],
    }: { heal?(): unknown; readonly store: Kind; readonly mix?: readonly Kind[] },
  ): Promise<void> => {
    start(mix);
    await load.more(20, store);
    await strike();
    await Promise.all([load.more(100, 'read'), load.more(12, store)]);
    await heal();
    await load.more(20, store);
    await recovered(mix);
    await judge();
    await until(areWell);
  };

  before(async function () {
    const started = await startWorld('losable');
    if (started === undefined) return this.skip();
    world = started;
    oracle = new Oracle(world.database);
  });
  afterEach(() => load?.stop());
  after(async () => {
    await world?.close();
  });

  const redis = () => {
    assert.ok(world.redis !== undefined, 'there is a Redis');
    return world.redis;
  };

  it('answer rightly while Redis is killed, and have it when it is back', () =>
    suffer(() => redis().lose(), { heal: () => redis().restore(), store: 'limited' }));

  it('answer rightly while Redis says nothing', () =>
    suffer(() => redis().proxy.stall(), { heal: () => redis().proxy.mend(), store: 'limited' }));

  it('answer rightly while Redis is slow, and when its connections break', () =>
    suffer(() => redis().proxy.slow(40), {
      heal: async () => {
        redis().proxy.reset();
        await redis().proxy.mend();
      },
      store: 'limited',
    }));

  it('answer rightly while Postgres is away', () =>
    suffer(() => world.postgres.cut(), { heal: () => world.postgres.mend(), store: 'vault' }));

  it('answer rightly while Postgres says nothing', () =>
    suffer(() => world.postgres.stall(), {
      heal: () => world.postgres.mend(),
      store: 'vault',
      // A change of rules may take its time, and waits for as long as the connection lasts.
      mix: ASKING,
    }));

  it('answer rightly while Postgres is slow', () =>
    suffer(() => world.postgres.slow(10), { heal: () => world.postgres.slow(0), store: 'vault' }));

  it('answer rightly when every connection to Postgres breaks', () =>
    suffer(() => world.postgres.reset(), { store: 'vault' }));

  it('answer rightly when Postgres ends every connection', () =>
    suffer(
      () =>
        world.database.pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()`,
        ),
      { store: 'vault' },
    ));

  it('have every decision that was given in the audit, once', async () => {
    const counts = async (): Promise<Map<string, number>> => {
      const { rows } = await world.database.pool.query<{ id: string; times: number }>(
        `SELECT id, count(*)::int AS times FROM audit_log WHERE kind = 'decision' GROUP BY id`,
      );
      return new Map(rows.map(({ id, times }) => [id, times]));
    };
    let recorded = await counts();
    await until(async () => {
      recorded = await counts();
      return given.every((id) => recorded.has(id));
    });
    assert.ok(given.length > 1_000, `${given.length} decisions`);
    assert.deepEqual(
      given.filter((id) => recorded.get(id) !== 1),
      [],
    );
  });

  it('answer rightly when one of them is killed', () =>
    suffer(
      async () => {
        const [, victim] = world.nodes;
        killed = victim;
        const ended = once(victim.process.child, 'exit');
        victim.process.child.kill('SIGKILL');
        await ended;
      },
      { store: 'vault' },
    ));

  it('end with nothing to say of it', async () => {
    assert.deepEqual(await world.stop(), []);
  });
});
