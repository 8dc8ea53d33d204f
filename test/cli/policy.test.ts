import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  answering,
  commandLine,
  hasPrograms,
  REPOSITORY,
  SHOP,
  temporaryDirectory,
} from '../support/command-line.js';

const TO_SERVER = { COUNTERSIGN_URL: 'http://server:7400', COUNTERSIGN_KEY: 'csk_test' };

describe('countersign policy, without a server', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeEach(async () => {
    directory = await temporaryDirectory(SHOP);
  });
  afterEach(() => directory.remove());
  const run = (...argv: string[]) => commandLine(['policy', ...argv], { cwd: directory.path });

  it('validates a bundle', async () => {
    assert.deepEqual(await run('validate', 'shop'), {
      exitCode: 0,
      stdout: [
        'valid: `shop` in shop, 4 rules, 1 governance rule, 2 tests\n',
        '  indexed   g(r.sub, p.sub, r.dom)\n',
        '  indexed   r.dom == p.dom\n',
        '  indexed   keyMatch(r.obj, p.obj) || g2(r.obj, p.obj, r.dom)\n',
        '  indexed   keyMatch(r.act, p.act)\n',
      ].join(''),
      stderr: '',
    });
  });

  it('says of each part of the matcher how its rules are found', async () => {
    const part = 'r.sub != p.obj';
    const shipped = await readFile(`${REPOSITORY}/models/rbac-tenant.conf`, 'utf8');
    await directory.write('models/own.conf', `${shipped.trimEnd()} && ${part}\n`);
    await directory.write('shop/bundle.yaml', 'name: shop\nmodel: own\n');
    await directory.write('shop/tests/tills.yaml', 'tests: []\n');
    const { stdout } = await run('validate', 'shop', '--json');
    assert.deepEqual(JSON.parse(stdout).matcher_parts.at(-1), { text: part, handling: 'residual' });
  });

  it('finds the bundle that the environment names', async () => {
    const around = { cwd: directory.path, env: { COUNTERSIGN_POLICY_DIR: 'shop' } };
    assert.equal((await commandLine(['policy', 'validate'], around)).exitCode, 0);
  });

  it('tells every fault at once, by the path that a person can open, and exits with 3', async () => {
    await directory.write('shop/rules/rules.csv', 'p, clerk, acme\nq, a, b\n');
    await directory.write('shop/governance/tills.yaml', 'rules:\n  - {id: a, kind: nonsense}\n');
    const { exitCode, stdout, stderr } = await run('validate', 'shop');
    assert.equal(exitCode, 3);
    assert.equal(stdout, '');
    assert.match(stderr, /^shop\/governance\/tills\.yaml:2:\d+: .+$/m);
    assert.match(stderr, /^shop\/rules\/rules\.csv:1:\d+: .+$/m);
    assert.match(stderr, /^shop\/rules\/rules\.csv:2:\d+: .+$/m);
    assert.match(stderr, /^error: 3 faults in the bundle$/m);
  });

  it('tells them as JSON too', async () => {
    await directory.write('shop/rules/rules.csv', 'p, clerk, acme\n');
    const { exitCode, stdout } = await run('validate', 'shop', '--json');
    assert.equal(exitCode, 3);
    const { valid, errors } = JSON.parse(stdout);
    assert.equal(valid, false);
    assert.deepEqual([errors[0].file, errors[0].line], ['shop/rules/rules.csv', 1]);
  });

  it('names the model beside the bundle where that is at fault', async () => {
    await directory.write('shop/bundle.yaml', 'name: shop\nmodel: broken\n');
    await directory.write('models/broken.conf', '[request_definition]\nr = sub\n');
    const { exitCode, stderr } = await run('validate', 'shop');
    assert.equal(exitCode, 3);
    assert.match(stderr, /^models\/broken\.conf:/m);
  });

  it('counts a test that fails as a fault, where it stands', async () => {
    await directory.write('shop/governance/tills.yaml', 'rules: []\n');
    const { exitCode, stderr } = await run('validate', 'shop');
    assert.equal(exitCode, 3);
    assert.match(
      stderr,
      /^shop\/tests\/tills\.yaml:5:\d+: the test `clerks say why` expects deny/m,
    );
  });

  it('shows warnings and is done', async () => {
    await directory.write('shop/rules/notes.txt', 'nothing');
    const { exitCode, stderr } = await run('validate', 'shop');
    assert.equal(exitCode, 0);
    assert.match(stderr, /^shop\/rules\/notes\.txt:1:1: warning: /);
  });

  it('takes a directory that is not there for wrong usage', async () => {
    const { exitCode, stderr } = await run('validate', 'nowhere');
    assert.equal(exitCode, 2);
    assert.match(stderr, /^error: there is no directory `nowhere`/);
  });

  it('runs the tests of a bundle', async () => {
    assert.deepEqual(await run('test', 'shop'), {
      exitCode: 0,
      stdout: [
        'shop/tests/tills.yaml',
        '  ✓ clerks open tills',
        '  ✓ clerks say why',
        '',
        '2 passed, 0 failed',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('says of a test that fails what was expected and what came, and exits with 4', async () => {
    await directory.write('shop/governance/tills.yaml', 'rules: []\n');
    assert.deepEqual(await run('test', 'shop'), {
      exitCode: 4,
      stdout: [
        'shop/tests/tills.yaml',
        '  ✓ clerks open tills',
        '  ✗ clerks say why',
        '      at       shop/tests/tills.yaml:5:5',
        '      expected deny, comment_required',
        '      got      allow, allowed: open on till:1 is allowed for ann',
        '',
        '1 passed, 1 failed',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('says it as JSON too', async () => {
    await directory.write('shop/governance/tills.yaml', 'rules: []\n');
    const { exitCode, stdout } = await run('test', 'shop', '--json');
    assert.equal(exitCode, 4);
    const { passed, failed, tests } = JSON.parse(stdout);
    assert.deepEqual([passed, failed], [1, 1]);
    assert.deepEqual(tests[1].expected, { decision: 'deny', reason: 'comment_required' });
    assert.equal(tests[1].actual.decision, 'allow');
    assert.deepEqual([tests[1].file, tests[1].line], ['shop/tests/tills.yaml', 5]);
  });

  it('says why a check of a test cannot be asked', async () => {
    await directory.write(
      'shop/tests/tills.yaml',
      'tests:\n  - {name: odd, check: {tenant: acme, subject: ann, action: open, resource: "till:1", dry_run: true, approval: request}, expect: {decision: deny}}\n',
    );
    const { exitCode, stdout } = await run('test', 'shop');
    assert.equal(exitCode, 4);
    assert.match(stdout, /got {6}a dry run touches nothing: .*; \/approval: /);
  });

  it('shows what is wrong with the check of a test where it stands, and runs none', async () => {
    await directory.write(
      'shop/tests/tills.yaml',
      'tests:\n  - {name: odd, check: {tenant: acme}, expect: {decision: deny}}\n',
    );
    const { exitCode, stdout, stderr } = await run('test', 'shop');
    assert.equal(exitCode, 3);
    assert.equal(stdout, '');
    assert.match(stderr, /^shop\/tests\/tills\.yaml:2:24: the member `action` is missing$/m);
  });

  it('shows what changes between two directories, by tenant', async () => {
    await directory.write('new/bundle.yaml', 'name: new shop\nmodel: rbac-tenant\n');
    await directory.write(
      'new/rules/rules.csv',
      'p, clerk, acme, till:*, open, allow\np, "a ""b""", acme, till:*, open, deny\ng, ann, clerk, acme\n',
    );
    await directory.write(
      'new/governance/tills.yaml',
      `rules:
  - id: reason
    kind: require-comment
    match: {actions: [open, close], tenants: [acme]}
    comment: {min_length: 3}
  - id: hours
    kind: time-window
    windows: [{days: [mon], from: "09:00", to: "17:00", timezone: UTC}]
`,
    );
    assert.deepEqual(await run('diff', 'new', '--against', 'shop'), {
      exitCode: 0,
      stdout: [
        'from shop to new',
        '',
        'bundle',
        '  ~ name: "shop" → "new shop"',
        '',
        'several or all tenants',
        '  + hours (time-window)',
        '',
        'tenant acme',
        '  + p, "a ""b""", acme, till:*, open, deny',
        '  ~ reason (require-comment)',
        '      match.actions: ["open"] → ["open","close"]',
        '',
        'tenant globex',
        '  - p, clerk, globex, till:*, open, allow',
        '  - g, bob, clerk, globex',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('says where nothing changes', async () => {
    assert.equal(
      (await run('diff', 'shop', '--against', 'shop')).stdout,
      'no change from shop to shop\n',
    );
  });

  it('uses colours on a terminal, but not with NO_COLOR, and none elsewhere', async () => {
    const cwd = directory.path;
    const argv = ['policy', 'test', 'shop'];
    const green = '\u001b[32m✓\u001b[39m';
    assert.ok((await commandLine(argv, { cwd, isTTY: true })).stdout.includes(green));
    const env = { NO_COLOR: '1' };
    assert.ok(!(await commandLine(argv, { cwd, env, isTTY: true })).stdout.includes('\u001b'));
    assert.ok(!(await commandLine(argv, { cwd })).stdout.includes('\u001b'));
  });

  it('shows control characters in what an author wrote instead of sending them to the terminal', async () => {
    await directory.write('shop/governance/a\u001b[31m.yaml', 'rules: nonsense\n');
    const { exitCode, stderr } = await run('validate', 'shop');
    assert.equal(exitCode, 3);
    assert.match(stderr, /a\\u001b\[31m\.yaml:1:1: /);
    assert.ok(!stderr.includes('\u001b'));
  });
});

describe('countersign policy, with a server', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  beforeEach(async () => {
    directory = await temporaryDirectory(SHOP);
  });
  afterEach(() => directory.remove());
  const run = (fetch: typeof globalThis.fetch, ...argv: string[]) =>
    commandLine(['policy', ...argv], { cwd: directory.path, env: TO_SERVER, fetch });

  const applied = { bundle: 3, revision: 9, changes: { added: 2, removed: 1 }, warnings: [] };

  it('applies the files of a directory, and says what that came to', async () => {
    const server = answering({ status: 201, body: applied });
    const ran = await run(server.fetch, 'apply', 'shop', '--commit', 'abc', '--expect', '2');
    assert.equal(ran.exitCode, 0);
    assert.equal(ran.stdout, 'active: bundle 3, revision 9, 2 rules added, 1 removed\n');
    const [asked] = server.asked;
    assert.ok(asked);
    assert.equal(`${asked.method} ${asked.url}`, 'POST http://server:7400/v1/bundles');
    assert.equal(asked.authorization, 'Bearer csk_test');
    const { files, ...rest } = asked.body as { files: Record<string, string> };
    assert.deepEqual(rest, { commit: 'abc', expect_bundle: 2 });
    assert.equal(files['bundle.yaml'], SHOP['shop/bundle.yaml']);
    assert.equal(files['tests/tills.yaml'], SHOP['shop/tests/tills.yaml']);
  });

  it('says where there is nothing to apply', async () => {
    const server = answering({
      status: 200,
      body: { ...applied, changes: { added: 0, removed: 0 } },
    });
    const ran = await run(server.fetch, 'apply', 'shop', '--commit', 'abc');
    assert.equal(ran.stdout, 'nothing to do: this is bundle 3, active already\n');
  });

  it('records the git commit of a directory, unless it has changes since', async function () {
    if (!hasPrograms('git')) this.skip();
    const git = promisify(execFile);
    const commands = [
      ['init', '--quiet'],
      ['add', '.'],
      ['-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '--quiet', '-m', 'shop'],
      ['rev-parse', 'HEAD'],
    ];
    let head = '';
    for (const argv of commands) {
      head = (await git('git', argv, { cwd: directory.path })).stdout.trim();
    }
    const clean = answering({ status: 201, body: applied });
    const first = await run(clean.fetch, 'apply', 'shop');
    assert.equal(first.stderr, '');
    assert.equal((clean.asked[0]!.body as { commit: string }).commit, head);

    await directory.write('shop/rules/more.csv', 'g, eve, clerk, acme\n');
    const changed = answering({ status: 201, body: applied });
    const second = await run(changed.fetch, 'apply', 'shop');
    assert.match(second.stderr, /^note: the directory has changes that are not committed/);
    assert.ok(!('commit' in (changed.asked[0]!.body as object)));
  });

  it('applies without a commit what is not under git, and says so', async () => {
    const server = answering({ status: 201, body: applied });
    const ran = await run(server.fetch, 'apply', 'shop');
    assert.equal(ran.exitCode, 0);
    assert.match(ran.stderr, /^note: the directory is not under git/);
  });

  it('sends nothing to the server where the bundle has faults already', async () => {
    await directory.write('shop/rules/rules.csv', 'p, clerk, acme\n');
    const server = answering();
    const ran = await run(server.fetch, 'apply', 'shop');
    assert.equal(ran.exitCode, 3);
    assert.deepEqual(server.asked, []);
  });

  it('exits with 3 for faults that the server finds, and shows them where they are', async () => {
    const errors = [{ file: 'tests/tills.yaml', line: 2, column: 5, message: 'the test fails' }];
    const body = { title: 'x', status: 422, code: 'invalid_bundle', detail: 'y', errors };
    const server = answering({ status: 422, body });
    const ran = await run(server.fetch, 'apply', 'shop', '--commit', 'abc');
    assert.equal(ran.exitCode, 3);
    assert.equal(
      ran.stderr,
      'shop/tests/tills.yaml:2:5: the test fails\nerror: 1 fault in the bundle\n',
    );
  });

  it('exits with 5 where another bundle is active than expected', async () => {
    const body = {
      title: 'Another bundle is active',
      status: 409,
      code: 'bundle_moved',
      detail: 'bundle 4 is active',
      request_id: 'req_1',
    };
    const ran = await run(
      answering({ status: 409, body }).fetch,
      'apply',
      'shop',
      '--commit',
      'abc',
      '--expect',
      '2',
    );
    assert.deepEqual(ran, {
      exitCode: 5,
      stdout: '',
      stderr: [
        'error: Another bundle is active (409 `bundle_moved`)',
        '  bundle 4 is active',
        '  request id req_1',
        '',
      ].join('\n'),
    });
  });

  it('compares with the bundle that is active on the server', async () => {
    const { active, ...former } = { active: true, bundle: 2, name: 'shop' };
    const files = {
      'bundle.yaml': 'name: shop\nmodel: rbac-tenant\n',
      'rules/a.csv': 'g, ann, clerk, acme\n',
    };
    const model_text = await readFile(`${REPOSITORY}/models/rbac-tenant.conf`, 'utf8');
    const server = answering(
      {
        body: {
          items: [
            { bundle: 3, active: false },
            { ...former, active },
          ],
          next: null,
        },
      },
      { body: { ...former, active, model: 'rbac-tenant', model_text, files } },
    );
    const ran = await run(server.fetch, 'diff', 'shop');
    assert.equal(ran.exitCode, 0);
    assert.match(ran.stdout, /^from bundle 2 to shop\n/);
    assert.match(ran.stdout, /^ {2}\+ g, bob, clerk, globex$/m);
    assert.match(ran.stdout, /^ {2}\+ reason \(require-comment\)$/m);
    assert.deepEqual(
      server.asked.map(({ url }) => url),
      ['http://server:7400/v1/bundles?limit=200', 'http://server:7400/v1/bundles/2'],
    );
  });

  it('takes everything for new where no bundle is active', async () => {
    const ran = await run(
      answering({ body: { items: [], next: null } }).fetch,
      'diff',
      'shop',
      '--json',
    );
    const { against, tenants } = JSON.parse(ran.stdout);
    assert.equal(against, 'nothing');
    assert.equal(tenants.length, 2);
  });

  it('rolls back to a number', async () => {
    const server = answering({ body: { ...applied, bundle: 1 } });
    const ran = await run(server.fetch, 'rollback', '1');
    assert.equal(ran.stdout, 'active: bundle 1, revision 9, 2 rules added, 1 removed\n');
    assert.equal(server.asked[0]?.url, 'http://server:7400/v1/bundles/1/activate');
  });

  it('rolls back to the bundle that was active before, and says which', async () => {
    const items = [
      { bundle: 3, active: false },
      { bundle: 2, active: true, previous: 3 },
    ];
    const answers = () => answering({ body: { items, next: null } }, { body: { ...applied } });
    for (const argv of [[], ['shop']]) {
      const server = answers();
      const ran = await run(server.fetch, 'rollback', ...argv);
      assert.match(
        ran.stdout,
        /^back from bundle 2 to bundle 3, which was active before it\nactive/,
      );
      assert.equal(server.asked[1]?.url, 'http://server:7400/v1/bundles/3/activate');
    }
    const json = await run(answers().fetch, 'rollback', '--json');
    assert.deepEqual(JSON.parse(json.stdout), applied);
  });

  it('rolls back nowhere where no bundle was active before', async () => {
    for (const items of [[], [{ bundle: 1, active: true }]]) {
      const ran = await run(answering({ body: { items, next: null } }).fetch, 'rollback');
      assert.equal(ran.exitCode, 1);
      assert.match(ran.stderr, /no bundle (is active|was active before bundle 1)/);
    }
  });

  it('takes the directory of a bundle for rollback and history too, where there is one', async () => {
    const server = answering({ body: { ...applied, bundle: 1 } });
    assert.equal((await run(server.fetch, 'rollback', 'shop', '1')).exitCode, 0);
    assert.equal(server.asked[0]?.url, 'http://server:7400/v1/bundles/1/activate');
    const history = answering({ body: { items: [], next: null } });
    assert.equal((await run(history.fetch, 'history', 'shop')).exitCode, 0);
    for (const argv of [
      ['history', 'nowhere'],
      ['rollback', 'nowhere'],
      ['rollback', 'nowhere', '1'],
      ['rollback', 'shop', 'one'],
    ]) {
      const ran = await run(answering().fetch, ...argv);
      assert.equal(ran.exitCode, 2, argv.join(' '));
    }
  });

  it('lists the history, page by page', async () => {
    const at = '2026-03-30T10:00:00.000Z';
    const bundle = { name: 'shop', author: 'key:root', at };
    const server = answering(
      {
        body: {
          items: [{ ...bundle, bundle: 2, active: true, commit: 'a'.repeat(40) }],
          next: '2',
        },
      },
      { body: { items: [{ ...bundle, bundle: 1, active: false }], next: null } },
    );
    const ran = await run(server.fetch, 'history');
    assert.equal(
      ran.stdout,
      [
        '   bundle  name  applied                   by        commit',
        '*  2       shop  2026-03-30T10:00:00.000Z  key:root  aaaaaaaaaaaa',
        '   1       shop  2026-03-30T10:00:00.000Z  key:root',
        '',
      ].join('\n'),
    );
    assert.equal(server.asked[1]?.url, 'http://server:7400/v1/bundles?limit=200&after=2');
  });
});
