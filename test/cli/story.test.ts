import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { commandLine, temporaryDirectory } from '../support/command-line.js';
import { type TestServer, testServer } from '../support/server.js';

/** The story of the README, told to a real server. */
describe('the command line and a server', () => {
  let server: TestServer;
  before(async () => {
    server = await testServer();
  });
  after(() => server.close());

  const run = (argv: readonly string[], key = server.rootKey) =>
    commandLine([...argv], {
      env: { COUNTERSIGN_URL: server.url, COUNTERSIGN_KEY: key },
      fetch: globalThis.fetch,
    });
  const deploy = [
    'check',
    'alice',
    'deploy',
    'service:billing',
    '--tenant',
    'acme',
    '--properties',
    'environment=prod',
    '--comment',
    'CHG-1234 roll back the bad release',
  ];
  const word = async (argv: readonly string[]) => {
    const { stdout, stderr } = await run([...argv, '--json']);
    assert.equal(stderr, '');
    return JSON.parse(stdout).reason;
  };

  it('asks, approves, and is allowed once', async () => {
    assert.equal(await word(deploy), 'approval_required');
    const opened = JSON.parse((await run([...deploy, '--request-approval', '--json'])).stdout);
    assert.equal(await word(deploy), 'approval_pending');

    const made = await run([
      'key',
      'create',
      "Carol's key",
      '--tenant',
      'acme',
      '--user',
      'carol',
      '--role',
      'approver',
    ]);
    assert.equal(made.exitCode, 0, made.stderr);
    const carol = made.stdout.trim();
    assert.match(carol, /^csk_[\w-]{43}$/);

    const { id } = opened.approval;
    const own = await run(['approval', 'approve', id]);
    assert.equal(own.exitCode, 5);
    assert.match(own.stderr, /self_approval/);

    const inbox = await run(['approval', 'list', '--view', 'inbox', '--status', 'pending'], carol);
    assert.match(
      inbox.stdout,
      new RegExp(`^${id} +pending +acme +alice: deploy service:billing`, 'm'),
    );
    assert.equal(
      (await run(['approval', 'list', '--view', 'inbox', '-q'], carol)).stdout,
      `${id}\n`,
    );
    const approved = await run(['approval', 'approve', id, '--comment', 'go'], carol);
    assert.equal(
      approved.stdout,
      `approved: alice: deploy service:billing in acme (${id})\n`,
      approved.stderr,
    );

    assert.equal(await word(deploy), 'granted');
    assert.equal(await word(deploy), 'approval_required');
  });

  it('rejects, and cancels', async () => {
    const ask = [...deploy.slice(0, 3), 'service:shop', ...deploy.slice(4), '--request-approval'];
    const first = JSON.parse((await run([...ask, '--json'])).stdout).approval.id;
    assert.match((await run(['approval', 'cancel', first])).stdout, /^cancelled: /);
    const second = JSON.parse((await run([...ask, '--json'])).stdout).approval.id;
    assert.notEqual(second, first);
    const made = await run([
      'key',
      'create',
      'c',
      '--tenant',
      'acme',
      '--user',
      'carol',
      '--role',
      'approver',
    ]);
    assert.match(
      (await run(['approval', 'reject', second], made.stdout.trim())).stdout,
      /^rejected: /,
    );
    assert.equal(await word(ask), 'approval_rejected');
    assert.match(
      (await run(['approval', 'list', '--status', 'approved'])).stdout,
      /^no requests\n$/,
    );
  });

  it('lists and revokes keys, and never shows one again', async () => {
    const { stdout } = await run(['key', 'create', 'short-lived', '--role', 'auditor']);
    const key = stdout.trim();
    const listed = await run(['key', 'list']);
    assert.ok(!listed.stdout.includes(key));
    const [line = ''] = listed.stdout.split('\n').filter((l) => l.includes('short-lived'));
    const [id = ''] = line.split(' ');
    assert.match(line, /^key_\w+ +short-lived +all +auditor +never$/);
    assert.equal((await run(['key', 'revoke', id])).stdout, `revoked: key ${id}\n`);
    const refused = await run(['key', 'list'], key);
    assert.equal(refused.exitCode, 5);
    assert.match(refused.stderr, /401 `unauthenticated`/);
    assert.ok(!refused.stderr.includes(key));
  });

  it('changes one line of policy, and the answer changes; rolls back, and it is the old one', async () => {
    const restart = [...deploy.slice(0, 2), 'restart', ...deploy.slice(3)];
    assert.equal(await word(restart), 'allowed');
    const before = await run(['policy', 'diff', 'policies']);
    assert.equal(before.stdout, 'no change from bundle 1 to policies\n', before.stderr);

    const directory = await temporaryDirectory();
    const policies = `${directory.path}/policies`;
    const file = `${policies}/governance/production.yaml`;
    await cp('policies', policies, { recursive: true });
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('actions: [deploy]\n', 'actions: [deploy, restart]\n'));

    const diff = await run(['policy', 'diff', policies]);
    assert.equal(
      diff.stdout,
      [
        `from bundle 1 to ${policies}`,
        '',
        'tenant acme',
        '  ~ prod-deploy-approval (approval-required)',
        '      match.actions: ["deploy"] → ["deploy","restart"]',
        '',
      ].join('\n'),
    );
    const applied = await run(['policy', 'apply', policies, '--expect', '1']);
    assert.match(applied.stdout, /^active: bundle 2, revision \d+\n$/);
    assert.equal(await word(restart), 'approval_required');
    const again = await run(['policy', 'apply', policies]);
    assert.equal(again.stdout, 'nothing to do: this is bundle 2, active already\n');
    await writeFile(file, text.replace('actions: [deploy]\n', 'actions: [deploy, scale]\n'));
    const late = await run(['policy', 'apply', policies, '--expect', '1']);
    assert.equal(late.exitCode, 5);
    assert.match(late.stderr, /409 `bundle_moved`/);

    assert.match(
      (await run(['policy', 'rollback', '1'])).stdout,
      /^active: bundle 1, revision \d+\n$/,
    );
    assert.equal(await word(restart), 'allowed');
    assert.match((await run(['policy', 'history'])).stdout, /^ +2 +demo .*\n\* +1 +demo /m);
    assert.match(
      (await run(['policy', 'rollback', policies])).stdout,
      /^back from bundle 1 to bundle 2, which was active before it\nactive: bundle 2/,
    );
    assert.equal((await run(['policy', 'rollback', '99'])).exitCode, 5);
    await directory.remove();
  });
});
