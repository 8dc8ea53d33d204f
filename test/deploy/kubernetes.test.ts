import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { loadConfig } from '../../src/platform/config.js';
import { settingNames, settingOf, type SettingName } from '../../src/platform/settings.js';
import { CONNECTIONS } from '../../src/server-stores.js';
import { shutdownTime } from '../../src/shutdown-time.js';
import { assignmentsOf, probePaths, ROOT, textOf, yamlOf } from './files.js';

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

interface Container {
  readonly image: string;
  readonly env: readonly {
    readonly name: string;
    readonly valueFrom: {
      readonly secretKeyRef: {
        readonly name: string;
        readonly key: string;
        readonly optional?: boolean;
      };
    };
  }[];
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  readonly resources: { readonly limits: { readonly memory?: string } };
  readonly securityContext: object;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

type Labels = Readonly<Record<string, string>>;

interface Deployment {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Labels };
    readonly strategy: { readonly rollingUpdate: { readonly maxSurge: number } };
    readonly template: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: {
        readonly automountServiceAccountToken: boolean;
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly [Container];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

const FOLDER = 'deploy/kubernetes';
const read = <Shape>(name: string): Shape => yamlOf<Shape>(`${FOLDER}/${name}`);

const deployment = read<Deployment>('deployment.yaml');
const pod = deployment.spec.template.spec;
const [server] = pod.containers;
const settings = assignmentsOf(textOf(`${FOLDER}/settings.env`));
const secret = read<{ metadata: { name: string }; stringData: Record<string, string> }>(
  'secret.example.yaml',
);

/** Values that a Secret could have. */
const SECRETS: Record<string, string> = {
  DATABASE_URL: 'postgresql://countersign:secret@postgres:5432/countersign',
  REDIS_URL: 'rediss://:secret@redis:6379',
  COUNTERSIGN_ROOT_KEY: 'k'.repeat(32),
};

const config = loadConfig(
  { ...Object.fromEntries(settings), ...SECRETS },
  new URL('test/', ROOT).pathname,
);

describe('deploy/kubernetes', () => {
  it('applies every manifest but the template of the secret', () => {
    const { resources } = read<{ resources: string[] }>('kustomization.yaml');
    const apart = ['kustomization.yaml', 'secret.example.yaml', 'settings.env'];
    const files = readdirSync(new URL(FOLDER, ROOT)).filter((name) => !apart.includes(name));
    assert.deepEqual([...resources].sort(), files.sort());
  });

  it('gives the servers settings that they know, and secrets as secrets', () => {
    const known = new Set<string>(settingNames());
    const isSecret = (name: string) => settingOf(name as SettingName).secret === true;
    const plain = settings.map(([name]) => name);
    const secrets = server.env.map(({ name }) => name);
    assert.deepEqual(
      [...plain, ...secrets].filter((name) => !known.has(name)),
      [],
    );
    assert.deepEqual(plain.filter(isSecret), []);
    assert.deepEqual(
      secrets.filter((name) => !isSecret(name)),
      [],
    );
  });

  it('reads every secret from a key of the template, which gives none', () => {
    for (const { name, valueFrom } of server.env) {
      assert.equal(valueFrom.secretKeyRef.name, secret.metadata.name);
      assert.equal(valueFrom.secretKeyRef.key, name);
      assert.equal(valueFrom.secretKeyRef.optional ?? false, name === 'REDIS_URL');
    }
    assert.deepEqual(Object.keys(secret.stringData).sort(), Object.keys(SECRETS).sort());
    assert.deepEqual([...new Set(Object.values(secret.stringData))], ['']);
  });

  it('probes paths that the server has, on the port that it listens on', () => {
    const { startupProbe, livenessProbe, readinessProbe, ports } = server;
    const probes = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet);
    assert.deepEqual(
      probes.map(({ path }) => path),
      ['/health/live', '/health/live', '/health/ready'],
    );
    for (const { path, port } of probes) {
      assert.ok(probePaths().includes(path), `${path} is a path for probes`);
      assert.equal(ports.find(({ name }) => name === port)?.containerPort, config.port);
    }
  });

  it('waits longer for a server to end than it takes to drain', () => {
    const longest = shutdownTime(config.drainMs) / 1_000;
    assert.ok(pod.terminationGracePeriodSeconds > longest, `more than ${longest} s`);
  });

  it('holds what the restricted standard of pods asks for, and more', () => {
    const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext;
    assert.deepEqual([runAsNonRoot, runAsUser], [true, 1000]);
    assert.match(textOf('Dockerfile'), new RegExp(`^USER ${String(runAsUser)}:`, 'm'));
    assert.deepEqual(seccompProfile, { type: 'RuntimeDefault' });
    assert.deepEqual(server.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.equal(pod.automountServiceAccountToken, false);
    assert.ok(server.resources.limits.memory, 'memory is bounded');
  });

  it('lets the server write to its data directory, and nowhere else', () => {
    assert.deepEqual(server.volumeMounts, [{ name: 'data', mountPath: config.dataDir }]);
    assert.deepEqual(
      pod.volumes.map(({ name }) => name),
      ['data'],
    );
  });

  it('selects the pods of the deployment, everywhere', () => {
    const { labels } = deployment.spec.template.metadata;
    assert.deepEqual(deployment.spec.selector.matchLabels, labels);
    const { spec: service } = read<{
      spec: { selector: Labels; ports: { port: number; targetPort: string }[] };
    }>('service.yaml');
    assert.deepEqual(service.selector, labels);
    assert.equal(service.ports[0]?.targetPort, server.ports[0]?.name);
    const { spec: budget } = read<{ spec: { selector: { matchLabels: Labels } } }>(
      'pod-disruption-budget.yaml',
    );
    assert.deepEqual(budget.selector.matchLabels, labels);
    const { spec: policy } = read<{
      spec: {
        podSelector: { matchLabels: Labels };
        ingress: { ports: { port: number }[] }[];
      };
    }>('network-policy.yaml');
    assert.deepEqual(policy.podSelector.matchLabels, labels);
    assert.deepEqual(
      policy.ingress[0]?.ports.map(({ port }) => port),
      [config.port],
    );
  });

  it('scales between two servers and what a usual Postgres has connections for', () => {
    const { spec } = read<{
      spec: { scaleTargetRef: { name: string }; minReplicas: number; maxReplicas: number };
    }>('horizontal-pod-autoscaler.yaml');
    assert.equal(deployment.spec.replicas, undefined);
    assert.ok(spec.minReplicas >= 2, 'two at least');
    const most = spec.maxReplicas + deployment.spec.strategy.rollingUpdate.maxSurge;
    // 100, of which 3 are kept for the superuser.
    assert.ok(most * CONNECTIONS <= 97, `${most} servers`);
  });
});
