import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { loadConfig } from '../../src/platform/config.js';
import { settingNames, settingOf } from '../../src/platform/settings.js';
import { shutdownTime } from '../../src/shutdown-time.js';
import { assignmentsOf, ROOT, secondsOf, textOf, yamlOf } from './files.js';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly deploy: {
    readonly replicas?: number;
    readonly resources: { readonly limits: Readonly<Record<'cpus' | 'memory' | 'pids', unknown>> };
  };
  readonly stop_grace_period?: string;
  readonly logging: { readonly options: Readonly<Record<'max-size' | 'max-file', string>> };
}

interface ComposeFile {
  readonly services: Readonly<Record<'load-balancer' | 'server' | 'postgres' | 'redis', Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
}

const FILE = 'docker-compose.yml';
const { services, networks } = yamlOf<ComposeFile>(FILE);
const { server, postgres, redis } = services;
const dockerfile = textOf('Dockerfile');

/** The value that the image gives a variable. */
const inImage = (name: string): string =>
  new RegExp(`\\b${name}=(\\S+)`).exec(dockerfile)?.[1] ?? '';

describe('docker-compose.yml', () => {
  it('starts two servers, once Postgres and Redis are healthy, and then the load balancer', () => {
    assert.equal(server.deploy.replicas, 2);
    assert.deepEqual(server.depends_on, {
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
    assert.deepEqual(services['load-balancer'].depends_on, {
      server: { condition: 'service_healthy' },
    });
    assert.match(dockerfile, /^HEALTHCHECK /m);
    for (const store of [postgres, redis])
      assert.ok(store.healthcheck, `${store.image} is checked`);
  });

  it('gives the servers settings that they know and can start with', () => {
    const known = new Set<string>(settingNames());
    const given = server.environment ?? {};
    assert.deepEqual(
      Object.keys(given).filter((name) => !known.has(name)),
      [],
    );
    const env = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        value.replace(/\$\{\w+:\?[^}]+\}/g, 'a1'.repeat(24)),
      ]),
    );
    const { databaseUrl, redisUrl, rootKey } = loadConfig(env, new URL('test/', ROOT).pathname);
    assert.equal(new URL(databaseUrl ?? '').hostname, 'postgres');
    assert.equal(new URL(redisUrl ?? '').hostname, 'redis');
    assert.equal(rootKey?.length, 48);
  });

  it('has no default for a secret: without .env it says where they come from', () => {
    const used = [...textOf(FILE).matchAll(/\$\{(\w+)(:\?[^}]*\.env\.example[^}]*)?\}/g)];
    assert.deepEqual(
      used.filter(([, , message]) => message === undefined),
      [],
    );
    const asked = assignmentsOf(textOf('.env.example'));
    assert.deepEqual(
      asked.map(([name]) => name).sort(),
      [...new Set(used.map(([, name]) => name))].sort(),
    );
    assert.deepEqual(
      asked.filter(([, value]) => value !== ''),
      [],
    );
    assert.match(textOf('.gitignore'), /^\.env$/m);
  });

  it('keeps servers and load balancer from changing or gaining anything', () => {
    for (const service of [server, services['load-balancer']]) {
      assert.equal(service.read_only, true);
      assert.deepEqual(service.cap_drop, ['ALL']);
    }
    for (const service of Object.values(services)) {
      assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
    }
  });

  it('gives the servers the folders that the image names', () => {
    const [data = ''] = server.tmpfs ?? [];
    assert.equal(data.split(':')[0], inImage('COUNTERSIGN_DATA_DIR'));
    const [, user] = /^USER (\d+):/m.exec(dockerfile) ?? [];
    assert.ok(data.includes(`uid=${user},`), 'its own folder');
    assert.deepEqual(server.volumes, [`./policies:${inImage('COUNTERSIGN_POLICY_DIR')}:ro`]);
    assert.ok(existsSync(new URL('policies/bundle.yaml', ROOT)), 'the bundle is there');
  });

  it('opens one port, to this machine alone', () => {
    const port = settingOf('PORT').default;
    assert.deepEqual(
      Object.entries(services).flatMap(([name, { ports = [] }]) =>
        ports.map((mapping) => `${name} ${mapping}`),
      ),
      [`load-balancer 127.0.0.1:${port}:${port}`],
    );
  });

  it('lets nobody but the servers reach the stores', () => {
    for (const store of [postgres, redis]) assert.deepEqual(store.networks, ['stores']);
    assert.equal(networks['stores']?.internal, true);
    assert.deepEqual(services['load-balancer'].networks, ['front']);
  });

  it('bounds what every service may use and log', () => {
    for (const [name, { deploy, logging }] of Object.entries(services)) {
      assert.deepEqual(Object.keys(deploy.resources.limits), ['cpus', 'memory', 'pids'], name);
      assert.ok(logging.options['max-size'], `${name} rotates its logs`);
    }
  });

  it('pins every image that it does not build', () => {
    for (const { image, build } of Object.values(services)) {
      if (build === undefined) assert.match(image, /:\d+(\.\d+)?(-\w+)?$/);
    }
  });

  it('waits for a server to drain before it kills it', () => {
    const drain = secondsOf(settingOf('COUNTERSIGN_DRAIN').default ?? '') * 1_000;
    const patience = secondsOf(server.stop_grace_period ?? '0s') * 1_000;
    assert.ok(patience > shutdownTime(drain), 'longer than it takes');
  });

  it('has Redis refuse to count rather than forget a counter', () => {
    const { command = [] } = redis;
    assert.equal(command[command.indexOf('--maxmemory-policy') + 1], 'noeviction');
    assert.ok(command.includes('--maxmemory'), 'bounded');
  });

  it('has Redis keep its counters over a restart', () => {
    const { command = [], volumes } = redis;
    assert.equal(command[command.indexOf('--appendonly') + 1], 'yes');
    assert.deepEqual(volumes, ['redis-data:/data']);
  });
});
