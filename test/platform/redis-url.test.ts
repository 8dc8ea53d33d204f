import assert from 'node:assert/strict';
import { parseRedisUrl } from '../../src/platform/redis-url.js';

describe('parseRedisUrl', () => {
  it('reads the address of one Redis', () => {
    assert.deepEqual(parseRedisUrl('redis://cache'), {
      kind: 'single',
      tls: false,
      addresses: [{ host: 'cache', port: 6379 }],
      db: 0,
    });
    assert.deepEqual(parseRedisUrl('rediss://me:p%40ss%2F@[::1]:7000/3'), {
      kind: 'single',
      tls: true,
      username: 'me',
      password: 'p@ss/',
      addresses: [{ host: '::1', port: 7000 }],
      db: 3,
    });
    assert.equal(parseRedisUrl('redis://:secret@cache')?.password, 'secret');
  });

  it('reads the nodes of a cluster', () => {
    const { kind, addresses, tls } = parseRedisUrl('rediss+cluster://a:7001,b') ?? {};
    assert.deepEqual([kind, tls], ['cluster', true]);
    assert.deepEqual(addresses, [
      { host: 'a', port: 7001 },
      { host: 'b', port: 6379 },
    ]);
  });

  it('reads the watchers of Sentinel with the name that they know', () => {
    const { kind, addresses, master, db } = parseRedisUrl('redis+sentinel://a,b:1/main/2') ?? {};
    assert.deepEqual([kind, master, db], ['sentinel', 'main', 2]);
    assert.deepEqual(addresses, [
      { host: 'a', port: 26379 },
      { host: 'b', port: 1 },
    ]);
  });

  it('reads what Sentinel is asked with', () => {
    const { sentinelUsername, sentinelPassword, password } =
      parseRedisUrl('redis+sentinel://:a@s/main?sentinel_username=me&sentinel_password=b%26%3D') ??
      {};
    assert.deepEqual([sentinelUsername, sentinelPassword, password], ['me', 'b&=', 'a']);
    for (const query of [
      '?',
      '?sentinel_password=',
      '?sentinel_password=%zz',
      '?sentinel_password=a&sentinel_password=b',
      '?password=a',
    ]) {
      assert.equal(parseRedisUrl(`redis+sentinel://s/main${query}`), undefined, query);
    }
    assert.equal(parseRedisUrl('redis://cache?sentinel_password=a'), undefined);
  });

  it('reads the files that TLS takes', () => {
    assert.deepEqual(parseRedisUrl('rediss://c?tls_ca=/a%20b.pem&tls_key=k&tls_cert=c')?.tlsFiles, {
      ca: '/a b.pem',
      cert: 'c',
      key: 'k',
    });
    assert.deepEqual(
      parseRedisUrl('rediss+sentinel://s/main?sentinel_password=a&tls_ca=b')?.tlsFiles,
      { ca: 'b' },
    );
    for (const url of ['redis://c?tls_ca=a', 'rediss://c?tls_ca=', 'rediss://c?tls_ca=%00'])
      assert.equal(parseRedisUrl(url), undefined, url);
  });

  it('refuses everything else', () => {
    const wrong = ['', 'cache:6379', 'http://cache', 'redis://', 'redis://a,b', 'redis://a:99999'];
    const odd = ['redis://a/b', 'redis://a/1/2', 'redis+sentinel://a', 'redis+cluster://a/1'];
    for (const url of [...wrong, ...odd, 'redis://u:%zz@a', 'redis://a b', 'redis://a?x=1'])
      assert.equal(parseRedisUrl(url), undefined, url);
  });
});
