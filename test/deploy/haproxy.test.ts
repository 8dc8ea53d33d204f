import assert from 'node:assert/strict';
import { NotFound, Unavailable } from '../../src/errors.js';
import { createApp } from '../../src/http/app.js';
import { problemType } from '../../src/http/problem.js';
import { settingOf } from '../../src/platform/settings.js';
import { stubServices } from '../support/stub-services.js';
import { probePaths, secondsOf, textOf, yamlOf } from './files.js';

const lines = textOf('deploy/haproxy/haproxy.cfg')
  .split('\n')
  .map((line) => line.trim())
  .filter((line) => line !== '' && !line.startsWith('#'));

/** The rest of the one line that begins so. */
function only(beginning: string): string {
  const found = lines.filter((line) => line.startsWith(`${beginning} `));
  assert.equal(found.length, 1, `one line \`${beginning}\``);
  return found[0]!.slice(beginning.length).trim();
}

/** The value of a timeout, in milliseconds. */
const timeout = (name: string): number => secondsOf(only(`timeout ${name}`)) * 1_000;

describe('deploy/haproxy/haproxy.cfg', () => {
  it('asks a path that says whether a server is ready', () => {
    const [, path = ''] = / uri (\S+)/.exec(only('http-check send')) ?? [];
    assert.equal(path, '/health/ready');
    assert.ok(probePaths().includes(path), 'the server has it');
  });

  it('takes a server out before its drain is over', () => {
    const checks = only('default-server');
    const [inter, fastinter] = ['inter', 'fastinter'].map((name) =>
      secondsOf(new RegExp(` ${name} (\\S+)`).exec(checks)?.[1] ?? ''),
    ) as [number, number];
    const fall = Number(/ fall (\d+)/.exec(checks)?.[1]);
    const seen = inter + fastinter * (fall - 1);
    // Twice as soon: a check takes its time too.
    assert.ok(seen * 2 < secondsOf(settingOf('COUNTERSIGN_DRAIN').default ?? ''), `${seen} s`);
  });

  it('gives callers less time than the servers give it, so that it ends what is idle first', () => {
    const server = createApp(stubServices());
    assert.ok(timeout('http-request') <= server.headersTimeout, 'the head of a request');
    assert.ok(timeout('client') <= server.requestTimeout, 'the whole of it');
    assert.ok(timeout('http-keep-alive') < server.keepAliveTimeout, 'an idle connection');
  });

  it('sends again what no server has got, and of the rest what only reads', () => {
    assert.equal(only('retry-on'), 'conn-failure empty-response');
    assert.equal(only('http-request disable-l7-retry'), 'unless { method GET HEAD }');
  });

  it('finds the servers by their name and port, with room for more than there are', () => {
    const [, slots, name, port] =
      /^server 1-(\d+) (\S+):(\d+) /.exec(only('server-template')) ?? [];
    const { services } = yamlOf<{
      services: Record<string, { deploy: { replicas?: number } } | undefined>;
    }>('docker-compose.yml');
    assert.ok(Number(slots) > (services[name ?? '']?.deploy.replicas ?? Infinity), 'room');
    assert.equal(port, settingOf('PORT').default);
    assert.equal(only('bind'), `:${port}`);
  });

  it('answers in problem documents, as the servers do', () => {
    const texts = lines.flatMap((line) => / lf-string '([^']+)'/.exec(line)?.[1] ?? []);
    const problems = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
    assert.deepEqual(
      problems.map(({ status }) => status),
      [404, 502, 503, 504],
    );
    for (const { type, title, code, request_id: id } of problems) {
      const error = code === 'not_found' ? new NotFound('') : new Unavailable('');
      assert.deepEqual([code, title, type], [error.code, error.title, problemType(error.code)]);
      assert.equal(id, '%[var(txn.request_id),json(utf8s)]');
    }
  });
});
