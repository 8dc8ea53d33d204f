import assert from 'node:assert/strict';
import { PayloadTooLarge, Unavailable } from '../../src/errors.js';
import type { BundleCall } from '../../src/http/bundle-call.js';
import { createBundleThread } from '../../src/http/bundle-thread.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { bundleOf, silentLog } from '../policy/support.js';
import { memoryLog } from '../support/stub-services.js';
import { type TestServer, testServer } from '../support/server.js';

/** Enough for their texts to be read in a thread of their own. */
const MANY = 6_000;

const rulesOf = (name: string, count = MANY): string =>
  Array.from(
    { length: count },
    (_, index) => `p, ${name}${index}, acme, document:${index}/*, read, allow`,
  ).join('\n');

const filesOf = (rules: string) => Object.fromEntries(bundleOf(rules));

const caller: BundleCall['caller'] = {
  id: 'root',
  tenant: undefined,
  user: undefined,
  person: 'root',
  systemRoles: ['platform_admin'],
};

/** A call to validate, as the server hands it over. */
const callWith = (body: object): BundleCall => ({
  method: 'POST',
  path: '/v1/bundles/validate',
  params: {},
  caller,
  requestId: 'test',
  body: [new TextEncoder().encode(JSON.stringify(body))],
});

describe('large bundles', function () {
  // Each call begins a thread, which reads TypeScript here.
  this.timeout(60_000);
  let server: TestServer;
  before(async () => void (server = await testServer()));
  after(() => server.close());

  const allows = async (subject: string) => {
    const check = { tenant: 'acme', subject, action: 'read', resource: 'document:7/x' };
    const { body } = await server.call('POST', '/check', { body: check });
    return body['allowed'];
  };

  it('are applied, shown, left alone when they come again, and rolled back', async () => {
    const files = filesOf(rulesOf('a'));
    const body = { files, commit: 'abc' };
    const applied = await server.call('POST', '/v1/bundles', { body });
    assert.equal(applied.status, 201, applied.text);
    assert.equal(applied.headers.get('content-type'), 'application/json; charset=utf-8');
    const { bundle, revision } = applied.body;
    assert.equal(await allows('a7'), true);

    const again = await server.call('POST', '/v1/bundles', { body });
    assert.equal(again.status, 200);
    assert.equal(again.body['revision'], revision);

    const shown = await server.call('GET', `/v1/bundles/${String(bundle)}`);
    assert.deepEqual(shown.body['files'], files);
    assert.equal(shown.body['commit'], 'abc');
    assert.equal(shown.body['author'], 'root');

    const second = await server.call('POST', '/v1/bundles', {
      body: { files: filesOf(rulesOf('b')) },
    });
    assert.deepEqual(second.body['changes'], { added: MANY, removed: MANY });
    assert.equal(await allows('a7'), false);
    const back = await server.call('POST', `/v1/bundles/${String(bundle)}/activate`);
    assert.equal(back.status, 200, back.text);
    assert.equal(await allows('a7'), true);

    const { body: audited } = await server.call<{ items: { kind: string; actor: string }[] }>(
      'GET',
      '/v1/audit?kind=bundle.applied',
    );
    assert.deepEqual(audited.items.map(({ actor }) => actor).slice(0, 2), ['root', 'root']);
  });

  it('are refused with the very faults that a small one has, all of them, in order', async () => {
    const rules = `${rulesOf('a')}\np, too, few\n"open, acme\n${rulesOf('b', 10)}\nq, x\n`;
    const compiled = compileBundle(bundleOf(rules), { shippedModels: new Map() });
    assert.ok('faults' in compiled, 'there are faults');
    for (const path of ['/v1/bundles', '/v1/bundles/validate']) {
      const { status, headers, body } = await server.call('POST', path, {
        body: { files: filesOf(rules) },
        headers: { 'X-Request-Id': 'it-is-me' },
      });
      assert.equal(status, 422);
      assert.equal(headers.get('content-type'), 'application/problem+json');
      assert.equal(body['code'], 'invalid_bundle');
      assert.equal(body['request_id'], 'it-is-me');
      assert.deepEqual(body['errors'], compiled.faults);
    }
  });

  it('run their tests, and are validated without being stored', async () => {
    const tests = `tests:
  - name: nobody reads
    check: {tenant: acme, subject: a7, action: read, resource: "document:7/x"}
    expect: {decision: deny}
`;
    const files = { ...filesOf(rulesOf('a')), 'tests/a.yaml': tests };
    const refused = await server.call('POST', '/v1/bundles/validate', { body: { files } });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /the test `nobody reads` expects deny, got allow/);
    files['tests/a.yaml'] = tests.replace('deny', 'allow');
    const valid = await server.call('POST', '/v1/bundles/validate', { body: { files } });
    assert.equal(valid.status, 200, valid.text);
    assert.ok(Array.isArray(valid.body['matcher_parts']), valid.text);
  });

  it('are held to the same schema and the same expectations', async () => {
    const files = filesOf(rulesOf('c'));
    const odd = await server.call('POST', '/v1/bundles', { body: { files, odd: 1 } });
    assert.equal(odd.status, 400);
    assert.deepEqual(odd.body['errors'], [
      {
        path: '/odd',
        message: 'unknown member `odd`; expected one of `files`, `commit`, `expect_bundle`',
      },
    ]);
    const moved = await server.call('POST', '/v1/bundles', {
      body: { files, expect_bundle: 9_999 },
    });
    assert.equal(moved.status, 409);
    assert.equal(moved.body['code'], 'bundle_moved');
  });

  it('that take more memory than there is end nothing but themselves', async () => {
    const { url } = server.database;
    const thread = createBundleThread({
      url,
      connection: {},
      log: silentLog as never,
      takeUp: async () => undefined,
      heap: 48,
    });
    const much = thread.answer(callWith({ files: filesOf(rulesOf('a', 200_000)) }));
    await assert.rejects(much, (error: unknown) => {
      assert.ok(error instanceof PayloadTooLarge, String(error));
      assert.match(error.message, /takes more than the 48 MiB of memory/);
      return true;
    });
    const little = await thread.answer(callWith({ files: filesOf(rulesOf('a', 10)) }));
    assert.equal(little.status, 200);
    await thread.stop();
  });

  it('are given up when the server stops, and wait in small numbers', async () => {
    const thread = createBundleThread({
      url: server.database.url,
      connection: {},
      log: memoryLog(),
      takeUp: async () => undefined,
    });
    const calls = Array.from({ length: 5 }, () => thread.answer(callWith({ files: {} })));
    const settled = Promise.allSettled(calls);
    await thread.stop();
    for (const result of await settled) {
      assert.equal(result.status, 'rejected');
      assert.ok(result.reason instanceof Unavailable, String(result.reason));
    }
  });
});
