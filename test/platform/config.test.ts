import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SettingsError } from '../../src/errors.js';
import { CONFIG_FILE, loadConfig, unknownVariables } from '../../src/platform/config.js';

const ROOT_KEY = 'a root key of more than 32 characters';

describe('the settings', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'countersign-config-'));
  });
  afterEach(() => rm(join(cwd, CONFIG_FILE), { force: true }));
  after(() => rm(cwd, { recursive: true }));

  const file = (text: string) => writeFile(join(cwd, CONFIG_FILE), text);

  /** The faults that these settings have; none where they are taken. */
  function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
    try {
      loadConfig(env, cwd);
      return [];
    } catch (error) {
      assert.ok(error instanceof SettingsError, String(error));
      return error.faults;
    }
  }

  it('have a default for everything', () => {
    assert.deepEqual(loadConfig({}, cwd), {
      host: '127.0.0.1',
      port: 7400,
      dataDir: join(cwd, '.countersign'),
      policyDir: join(cwd, 'policies'),
      audit: 'buffered',
      auditSpillMax: 1024 ** 3,
      drainMs: 2_000,
      logLevel: 'info',
      workers: 1,
      limitsOnRedisLoss: 'local',
      maxStalenessMs: 300_000,
      pollMs: 5_000,
      metricsPublic: false,
    });
  });

  it('come from the environment', () => {
    const config = loadConfig(
      {
        HOST: '::1',
        PORT: '0',
        DATABASE_URL: 'postgresql://u:p@db/x',
        REDIS_URL: 'rediss://cache:6380',
        COUNTERSIGN_DATA_DIR: '/data',
        COUNTERSIGN_POLICY_DIR: 'bundles/live',
        COUNTERSIGN_ROOT_KEY: ROOT_KEY,
        COUNTERSIGN_AUDIT: 'strict',
        COUNTERSIGN_AUDIT_SPILL_MAX: '512MiB',
        COUNTERSIGN_DRAIN: '1m',
        COUNTERSIGN_PUBLIC_URL: 'https://authz.example.org/',
        COUNTERSIGN_LOG_LEVEL: 'debug',
        COUNTERSIGN_WORKERS: 'auto',
        COUNTERSIGN_LIMITS_ON_REDIS_LOSS: 'deny',
        COUNTERSIGN_POLICY_MAX_STALENESS: '2m',
        COUNTERSIGN_POLICY_POLL: '1m',
        COUNTERSIGN_METRICS_PUBLIC: 'true',
      },
      cwd,
    );
    assert.deepEqual(config, {
      host: '::1',
      port: 0,
      databaseUrl: 'postgresql://u:p@db/x',
      redisUrl: 'rediss://cache:6380',
      dataDir: '/data',
      policyDir: join(cwd, 'bundles/live'),
      rootKey: ROOT_KEY,
      audit: 'strict',
      auditSpillMax: 512 * 1024 ** 2,
      drainMs: 60_000,
      publicUrl: 'https://authz.example.org',
      logLevel: 'debug',
      workers: 'auto',
      limitsOnRedisLoss: 'deny',
      maxStalenessMs: 120_000,
      pollMs: 60_000,
      metricsPublic: true,
    });
  });

  it('come from the file, spelt like variables or short', async () => {
    await file('port: 8080\nCOUNTERSIGN_AUDIT: off\nmetrics_public: true\ndrain: 5s\nworkers: 2\n');
    const { port, audit, metricsPublic, drainMs, workers } = loadConfig({}, cwd);
    assert.deepEqual([port, audit, metricsPublic, drainMs, workers], [8080, 'off', true, 5_000, 2]);
  });

  it('come from the file, below what their names begin with, or with a dot', async () => {
    await file(
      'limits:\n  on_redis_loss: deny\npolicy.max_staleness: 1m\naudit: {spill_max: 1MiB}\n',
    );
    const { limitsOnRedisLoss, maxStalenessMs, auditSpillMax } = loadConfig({}, cwd);
    assert.deepEqual([limitsOnRedisLoss, maxStalenessMs, auditSpillMax], ['deny', 60_000, 1 << 20]);
  });

  it('tell the faults of those, too, at their places', async () => {
    await file(
      'limits:\n  on_redis_loss: never\n  on_loss: deny\nlimits.on_redis_loss: deny\npolicy: {}\n',
    );
    assert.deepEqual(
      faultsOf({}).map((fault) => fault.split(';')[0]),
      [
        `${CONFIG_FILE}:2:18: \`limits.on_redis_loss\` must be \`local\`, \`deny\` or \`allow\`, not \`never\``,
        `${CONFIG_FILE}:3:3: unknown setting \`limits.on_loss\``,
        `${CONFIG_FILE}:4:1: \`limits.on_redis_loss\` and \`limits.on_redis_loss\` are the same setting`,
        `${CONFIG_FILE}:5:1: unknown setting \`policy\``,
      ],
    );
  });

  it('of the environment win over those of the file', async () => {
    await file('port: 8080\naudit: strict\n');
    const { port, audit } = loadConfig({ PORT: '9090' }, cwd);
    assert.deepEqual([port, audit], [9090, 'strict']);
  });

  it('that are empty in the environment count as absent', () => {
    assert.equal('redisUrl' in loadConfig({ REDIS_URL: '', PORT: '' }, cwd), false);
  });

  it('may be a file of comments alone', async () => {
    await file('# nothing yet\n');
    assert.deepEqual(faultsOf({}), []);
  });

  it('tell every fault of environment and file at once, by name and place', async () => {
    await file('port: eighty\nprot: 80\naudit: [strict]\nCOUNTERSIGN_AUDIT: off\ndrain: 2\n');
    const faults = faultsOf({ PORT: '70000', COUNTERSIGN_WORKERS: '0', COUNTERSIGN_DRAIN: 'soon' });
    assert.deepEqual(
      faults.map((fault) => fault.split(';')[0]),
      [
        '`PORT` must be a port from 0 to 65535, not `70000`',
        '`COUNTERSIGN_DRAIN` must be a duration like `2s` or `1m`, not `soon`',
        '`COUNTERSIGN_WORKERS` must be `auto` or a number from 1 to 999, not `0`',
        `${CONFIG_FILE}:1:7: \`port\` must be a port from 0 to 65535, not \`eighty\``,
        `${CONFIG_FILE}:2:1: unknown setting \`prot\``,
        `${CONFIG_FILE}:3:1: \`audit\` must be \`strict\`, \`buffered\` or \`off\``,
        `${CONFIG_FILE}:5:8: \`drain\` must be a duration like \`2s\` or \`1m\`, not \`2\``,
      ],
    );
  });

  it('given twice in the file are a fault', async () => {
    await file('audit: strict\nCOUNTERSIGN_AUDIT: off\n');
    assert.deepEqual(faultsOf({}), [
      `${CONFIG_FILE}:2:1: \`COUNTERSIGN_AUDIT\` and \`audit\` are the same setting; keep one`,
    ]);
  });

  it('tell what is wrong with the YAML itself, beside the faults of the environment', async () => {
    await file('port: 1\nport: 2\n');
    const faults = faultsOf({ PORT: 'x' });
    assert.equal(faults.length, 2);
    assert.match(faults[1] ?? '', /^countersign\.config\.yaml:2:1: /);
    await file('- port\n');
    assert.deepEqual(faultsOf({}), [`${CONFIG_FILE}:1:1: give settings as \`name: value\``]);
  });

  it('ask for a root key where the database is not the embedded one', async () => {
    const required = /^`COUNTERSIGN_ROOT_KEY` is required where `DATABASE_URL` is set/;
    assert.match(faultsOf({ DATABASE_URL: 'postgres://db/x' }).join('\n'), required);
    await file(`root_key: ${ROOT_KEY}\n`);
    assert.deepEqual(faultsOf({ DATABASE_URL: 'postgres://db/x' }), []);
  });

  it('name the files for Redis that cannot be used', async () => {
    assert.deepEqual(faultsOf({ REDIS_URL: 'rediss://:hunter2@c?tls_ca=/none.pem' }), [
      '`REDIS_URL`: `tls_ca` (/none.pem) cannot be read (`ENOENT`)',
    ]);
  });

  it('give a policy time to be looked for twice before it is too old', async () => {
    const together =
      /^`COUNTERSIGN_POLICY_MAX_STALENESS` must be at least twice `COUNTERSIGN_POLICY_POLL`/;
    await file('policy: {poll: 31s, max_staleness: 1m}\n');
    assert.match(faultsOf({}).join('\n'), together);
    assert.deepEqual(faultsOf({ COUNTERSIGN_POLICY_POLL: '30s' }), []);
  });

  it('never show a secret in a fault', async () => {
    await file('database_url: mysql://u:hunter2@db/x\nroot_key: hunter2\nredis_url: [hunter2]\n');
    const env = { DATABASE_URL: 'hunter2', REDIS_URL: 'hunter2', COUNTERSIGN_ROOT_KEY: 'hunter2' };
    const faults = faultsOf(env);
    assert.equal(faults.length, 6);
    assert.ok(!faults.join('\n').includes('hunter2'), faults.join('\n'));
  });

  it('take a root key of 32 characters, not of 31, and none that a header cannot carry', () => {
    const taken = (key: string) => faultsOf({ COUNTERSIGN_ROOT_KEY: key }).length === 0;
    assert.ok(taken('k'.repeat(32)));
    assert.ok(!taken('k'.repeat(31)));
    assert.ok(!taken(`${'k'.repeat(32)}\n`));
    assert.ok(!taken(`${'k'.repeat(16)}\r\n${'k'.repeat(16)}`));
  });

  it('refuse what is written oddly', () => {
    const wrong: Record<string, string[]> = {
      PORT: ['0x50', '80.0', '-1', ' 80', '1e3', '65536'],
      HOST: ['a b', 'http://x'],
      DATABASE_URL: ['localhost', 'mysql://x/y', 'postgres://'],
      REDIS_URL: ['http://x', 'redis://a:1,b:2', 'cache:6379'],
      COUNTERSIGN_PUBLIC_URL: ['authz.example.org', 'ftp://x', 'https://u:p@x', 'https://x/?a'],
      COUNTERSIGN_METRICS_PUBLIC: ['yes', 'TRUE', '1'],
      COUNTERSIGN_POLICY_POLL: ['0s', '5', '61s', '2m', '1.5s'],
      COUNTERSIGN_LOG_LEVEL: ['verbose'],
      COUNTERSIGN_WORKERS: ['two', '1.5', '1000'],
    };
    for (const [name, values] of Object.entries(wrong))
      for (const value of values) {
        const env = { COUNTERSIGN_ROOT_KEY: ROOT_KEY, [name]: value };
        assert.equal(faultsOf(env).length, 1, `${name}=${value}`);
      }
  });

  it('take every kind of Redis address', () => {
    for (const url of [
      'redis://cache',
      'rediss://u:p@c:1/2',
      'redis+cluster://a,b',
      'redis+sentinel://a/m',
    ])
      assert.deepEqual(faultsOf({ REDIS_URL: url }), []);
  });
});

describe('unknownVariables', () => {
  it('names what is spelt like a setting of ours and is none', () => {
    const env = {
      COUNTERSIGN_ROOTKEY: 'x',
      COUNTERSIGN_KEY: 'x',
      COUNTERSIGN_AUDIT: 'off',
      PATH: '',
    };
    assert.deepEqual(unknownVariables(env), ['COUNTERSIGN_ROOTKEY']);
  });
});
