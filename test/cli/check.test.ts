import assert from 'node:assert/strict';
import { answering, commandLine } from '../support/command-line.js';

const env = { COUNTERSIGN_URL: 'http://server:7400/', COUNTERSIGN_KEY: 'csk_test' };

const pending = {
  decision: 'approval_required',
  allowed: false,
  reason: 'approval_required',
  message: 'deploy on service:billing needs 1 approval from approver',
  rules: [
    { kind: 'casbin', rule: ['p', 'ops_rw', 'acme', 'service:*', 'deploy', 'allow'] },
    { kind: 'approval-required', id: 'prod', outcome: 'failed_closed', message: 'no such member' },
  ],
  approval: { id: 'apr_1', status: 'pending', expires_at: '2026-03-31T10:00:00Z' },
  rate_limit: { limit: 5, remaining: 4, reset: 60 },
  retry_at: '2026-03-30T07:00:00Z',
  revision: 42,
  decision_id: 'dec_1',
};

/** The body that a command line asks the server with. */
async function bodyOf(...argv: string[]): Promise<unknown> {
  const server = answering({ body: pending });
  const { exitCode, stderr } = await commandLine(['check', ...argv], { env, fetch: server.fetch });
  assert.equal(exitCode, 0, stderr);
  assert.equal(server.asked[0]?.url, 'http://server:7400/check');
  return server.asked[0]?.body;
}

describe('countersign check', () => {
  it('asks in the shortest form', async () => {
    assert.deepEqual(await bodyOf('alice', 'read', 'document:1'), {
      subject: 'alice',
      action: 'read',
      resource: 'document:1',
    });
  });

  it('asks with all that it is given', async () => {
    assert.deepEqual(
      await bodyOf(
        'ci',
        'deploy',
        'service:a:b',
        '--tenant',
        'acme',
        '--subject-type',
        'service',
        '--subject-properties',
        'team=web',
        '--properties',
        'environment=prod',
        '--properties',
        '{"tags": ["a"], "size": 3}',
        '--context',
        'amount=500',
        '--context',
        'urgent=true',
        '--context',
        'ticket="7"',
        '--context',
        'none=null',
        '--context',
        'equation=a=b',
        '--comment',
        'CHG-1',
        '--dry-run',
        '--explain',
      ),
      {
        tenant: 'acme',
        subject: { type: 'service', id: 'ci', properties: { team: 'web' } },
        action: 'deploy',
        resource: {
          type: 'service',
          id: 'a:b',
          properties: { environment: 'prod', tags: ['a'], size: 3 },
        },
        context: {
          amount: 500,
          urgent: true,
          ticket: '7',
          none: null,
          equation: 'a=b',
          comment: 'CHG-1',
        },
        dry_run: true,
        explain: true,
      },
    );
  });

  it('asks for the approval where it is told to', async () => {
    const body = await bodyOf('alice', 'read', 'document:1', '--request-approval');
    assert.equal((body as { approval: string }).approval, 'request');
  });

  it('shows the decision and what decided, and is done whatever it is', async () => {
    const ran = await commandLine(['check', 'alice', 'deploy', 'service:billing'], {
      env,
      fetch: answering({ body: pending }).fetch,
    });
    assert.deepEqual(ran, {
      exitCode: 0,
      stdout: [
        'approval_required: deploy on service:billing needs 1 approval from approver',
        '  reason    approval_required',
        '  rules     p, ops_rw, acme, service:*, deploy, allow',
        '            prod, approval-required: failed_closed (no such member)',
        '  approval  apr_1 pending until 2026-03-31T10:00:00Z',
        '  quota     4 of 5 left, resets in 60 s',
        '  retry at  2026-03-30T07:00:00Z',
        '  revision  42',
        '  id        dec_1',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('shows how the decision came about where that was asked for', async () => {
    const trace = {
      roles: ['ops_rw', 'ops_ro'],
      bundle: { number: 3, name: 'demo', commit: 'abc' },
      steps: [
        { step: 'casbin', outcome: 'allowed' },
        { step: 'time-window', outcome: 'passed', message: 'open' },
      ],
    };
    const { stdout } = await commandLine(['check', 'a', 'b', 'c:d', '--explain'], {
      env,
      fetch: answering({ body: { ...pending, trace } }).fetch,
    });
    assert.match(stdout, /^ {2}bundle {4}3, demo, commit abc$/m);
    assert.match(stdout, /^ {2}roles {5}ops_rw, ops_ro$/m);
    assert.match(stdout, /^ {2}steps {5}casbin: allowed\n {12}time-window: passed \(open\)$/m);
  });

  it('gives the answer as it came with --json', async () => {
    const body = { ...pending, new_member: [1] };
    const { stdout } = await commandLine(['check', 'a', 'b', 'c:d', '--json'], {
      env,
      fetch: answering({ body }).fetch,
    });
    assert.deepEqual(JSON.parse(stdout), body);
  });

  it('colours the decision on a terminal', async () => {
    const colours = { allow: '32', deny: '31', approval_required: '33' };
    for (const [decision, colour] of Object.entries(colours)) {
      const { fetch } = answering({ body: { ...pending, decision } });
      const { stdout } = await commandLine(['check', 'a', 'b', 'c:d'], { env, fetch, isTTY: true });
      assert.ok(stdout.startsWith(`\u001b[${colour}m${decision}\u001b[39m: `), decision);
    }
  });

  it('shows control characters in an answer instead of sending them to the terminal', async () => {
    const { fetch } = answering({ body: { ...pending, message: 'a\u001b[2Jb\u202ec' } });
    const { stdout } = await commandLine(['check', 'a', 'b', 'c:d'], { env, fetch });
    assert.match(stdout, /^approval_required: a\\u001b\[2Jb\\u202ec$/m);
  });

  it('shows a problem for people, with its places and the request id, and exits with 5', async () => {
    const body = {
      type: 'urn:countersign:problem:invalid_request',
      title: 'The request is not valid',
      status: 400,
      code: 'invalid_request',
      detail: 'the check is not valid',
      errors: [{ path: '/tenant', message: 'expected a tenant' }],
      request_id: 'req_7',
    };
    const argv = ['check', 'a', 'b', 'c:d', '--tenant', 'X'];
    const ran = await commandLine(argv, { env, fetch: answering({ status: 400, body }).fetch });
    assert.deepEqual(ran, {
      exitCode: 5,
      stdout: '',
      stderr: [
        'error: The request is not valid (400 `invalid_request`)',
        '  the check is not valid',
        '  /tenant: expected a tenant',
        '  request id req_7',
        '',
      ].join('\n'),
    });
    const asJson = await commandLine([...argv, '--json'], {
      env,
      fetch: answering({ status: 400, body }).fetch,
    });
    assert.equal(asJson.exitCode, 5);
    assert.deepEqual(JSON.parse(asJson.stdout), body);
  });

  it('exits with 5 for whatever else answers', async () => {
    for (const answer of [
      { status: 502, body: '<html>bad gateway</html>' },
      { status: 200, body: '<html>hello</html>' },
      { status: 200, body: { hello: 'world' } },
      { status: 500, body: {} },
    ]) {
      const { fetch } = answering(answer);
      const ran = await commandLine(['check', 'a', 'b', 'c:d'], { env, fetch });
      assert.equal(ran.exitCode, 5);
      assert.match(ran.stderr, /^error: .*`http:\/\/server:7400`.*\n$/);
    }
  });
});
