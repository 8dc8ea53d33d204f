import assert from 'node:assert/strict';
import { createLogger, maskText } from '../../src/platform/log.js';

/** A log whose lines are kept. */
function recordedLog(level = 'info') {
  const lines: string[] = [];
  return { log: createLogger(level, { write: (line: string) => void lines.push(line) }), lines };
}

describe('the log', () => {
  it('writes one JSON line an event, with time, level and message', () => {
    const { log, lines } = recordedLog();
    log.info({ revision: 42 }, 'the policy\nchanged');
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.indexOf('\n'), lines[0]!.length - 1);
    const { level, msg, revision, time } = JSON.parse(lines[0] ?? '');
    assert.deepEqual(
      { level, msg, revision },
      { level: 'info', msg: 'the policy\nchanged', revision: 42 },
    );
    assert.ok(!Number.isNaN(Date.parse(time)));
  });

  it('tells of an error what and where, and leaves out the database client that hangs on it', () => {
    const { log, lines } = recordedLog();
    const client = { secretKey: 12_345, connectionParameters: { host: 'db' } };
    const cause = new Error('the socket closed');
    log.warn({ err: Object.assign(new Error('lost', { cause }), { client, code: '57P01' }) }, 'x');
    const { err } = JSON.parse(lines[0] ?? '');
    assert.match(err.message, /^lost/);
    assert.equal(err.code, '57P01');
    assert.match(err.stack, /log\.test\.ts[\s\S]*the socket closed/);
    assert.ok(!('client' in err));
  });

  it('names the command of Redis that failed, without what was sent along, in errors within errors too', () => {
    const { log, lines } = recordedLog();
    const command = { name: 'auth', args: ['hunter2'] };
    const refused = Object.assign(new Error('WRONGPASS'), { command });
    log.warn({ err: refused }, 'x');
    log.warn({ err: Object.assign(new Error('all failed'), { lastNodeError: refused }) }, 'x');
    log.warn({ err: new AggregateError([refused], 'all failed') }, 'x');
    for (const line of lines) assert.match(line, /WRONGPASS.*"command":"auth"/);
    assert.doesNotMatch(lines.join(''), /hunter2/);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = recordedLog('warn');
    log.info('quiet');
    assert.deepEqual(lines, []);
  });

  it('masks members named like a credential at any depth, lists and child logs included', () => {
    const { log, lines } = recordedLog();
    const names = ['authorization', 'Cookie', 'set-cookie', 'key', 'api_key', 'rootKey', 'token'];
    for (const name of [...names, 'access_token', 'password', 'client_secret', 'clientSecret']) {
      log.info({ [name]: 'a "quoted" hunter2-value' });
      log.info({ [name]: ['first', 'hunter2-value]'] });
      log.info({ request: { headers: [{ [name]: 'hunter2-value' }] } });
    }
    log
      .child({ token: 'hunter2-value' })
      .warn({ req: { headers: { authorization: 'hunter2-value' } } });
    assert.ok(!lines.join('').includes('hunter2'), lines.join(''));
  });

  it('keeps harmless members that only resemble a credential', () => {
    const { log, lines } = recordedLog();
    log.info({ key_id: 'k1', resourceKey: 'document:1', keys: 3, monkey: 'm' });
    const { key_id, resourceKey, keys, monkey } = JSON.parse(lines[0] ?? '');
    assert.deepEqual([key_id, resourceKey, keys, monkey], ['k1', 'document:1', 3, 'm']);
  });

  it('masks credentials inside messages, addresses, errors and their stacks', () => {
    const { log, lines } = recordedLog();
    const key = `csk_${'a'.repeat(43)}`;
    log.info(`calling with ${key}`);
    log.info('sent Authorization: Bearer abcdefgh12345678');
    log.info({ url: 'postgres://countersign:hunter2@db:5432/x' }, 'connecting');
    log.info({ url: 'postgres://countersign:hu@nt/er2@db:5432/x?password=hunter2' }, 'connecting');
    log.info('redis+sentinel://:hunter2@s/main?sentinel_username=a&sentinel_password=hunter2');
    log.error({ err: new Error('no route to redis://:hunter2@cache:6379') }, 'redis failed');
    log.error(new Error('eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln was refused'));
    const text = lines.join('');
    for (const secret of ['hunter2', 'nt/er2', key, 'abcdefgh12345678', 'eyJhbGci'])
      assert.ok(!text.includes(secret), text);
    assert.match(text, /no route to redis/);
    for (const line of lines) JSON.parse(line);
  });
});

describe('maskText', () => {
  it('leaves text without a credential as it stands', () => {
    const text =
      'listening on http://127.0.0.1:7400; mail to a@example.org: see https://x.org/a?b=c';
    assert.equal(maskText(text), text);
  });
});
