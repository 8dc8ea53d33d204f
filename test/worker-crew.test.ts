import assert from 'node:assert/strict';
import { createCrew, pauseAfter } from '../src/worker-crew.js';
import type { Config } from '../src/platform/config.js';

const CONFIG: Config = {
  host: '127.0.0.1',
  port: 0,
  dataDir: '/nowhere',
  policyDir: '/nowhere',
  audit: 'off',
  auditSpillMax: 0,
  drainMs: 0,
  logLevel: 'silent',
  workers: 2,
  limitsOnRedisLoss: 'local',
  maxStalenessMs: 300_000,
  pollMs: 5_000,
  metricsPublic: false,
};

/** Milliseconds that no worker that ends takes for it, however slow the machine is. */
const AMPLE = 60_000;

/** A crew whose workers run a program of `test/support/workers`. */
function crewOf(program: string, { stopTime = AMPLE } = {}) {
  const said: { message: string; members: object }[] = [];
  const say = (members: unknown, message?: string): void => {
    said.push({ message: message ?? String(members), members: members as object });
  };
  const crew = createCrew({
    count: 2,
    entry: new URL(`./support/workers/${program}.mjs`, import.meta.url),
    config: CONFIG,
    log: { info: say, error: say },
    stopTime,
  });
  return { crew, said };
}

describe('a crew of workers', function () {
  this.timeout(AMPLE);

  it('is given up where none ever answers, with the reason', async () => {
    const { crew, said } = crewOf('ends-at-once');
    await assert.rejects(crew.start(), /^Error: the workers do not start: exit code 3$/);
    const deaths = said.filter(({ message }) => message === 'a worker ended by itself');
    assert.ok(deaths.length >= 5, `tried ${deaths.length} times`);
    await crew.stop();
  });

  it('is given up in the words of its workers', async () => {
    const { crew } = crewOf('says-why');
    await assert.rejects(crew.start(), /the workers do not start: there is no policy$/);
    await crew.stop();
  });

  it('stops where its workers end as they are told', async () => {
    const { crew } = crewOf('answers-and-ends');
    assert.equal(await crew.start(), 'http://127.0.0.1:1');
    await crew.stop();
  });

  it('kills a worker that does not stop, and says that it had to', async () => {
    const { crew, said } = crewOf('never-stops', { stopTime: 1 });
    await crew.start();
    await assert.rejects(crew.stop(), /a worker did not finish what it had begun/);
    assert.equal(said.at(-1)?.message, 'a worker did not finish what it had begun');
  });
});

describe('the pause before a worker is replaced', () => {
  it('is none at first, then grows, up to ten seconds', () => {
    const pauses = [1, 2, 3, 4, 8, 9, 100].map(pauseAfter);
    assert.deepEqual(pauses, [0, 100, 200, 400, 6_400, 10_000, 10_000]);
  });
});
