import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { subscribers } from '../../src/platform/redis.js';
import { readTlsFiles } from '../../src/platform/redis-tls.js';
import { parseRedisUrl } from '../../src/platform/redis-url.js';

/** One that has signed itself, good until 2126. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUSDgpeIqg+6b98clmKDKTJ6jtDaQwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIzMDgzMzAwWhgPMjEy
NjEwMzAwODMzMDBaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEUWZAG/Jv7H4h5TmkkewcLYThr4R8jzuZcePUST66
knv9SUilbb1MBUqQjjY3uC1Ns5t+OBVnkU4A+5i7MvG2uaNTMFEwHQYDVR0OBBYE
FGoUjOgSNbePytLXy5yNLvz8cvB8MB8GA1UdIwQYMBaAFGoUjOgSNbePytLXy5yN
Lvz8cvB8MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAOyhuSUO
Or6rzD+23GmUKLFnCzrrymTiA20Cw/n1UOPAAiEA2FSGx/uNUHoPd7DG17FSF07W
qCqZ3Q6vMRlnQgjPs/I=
-----END CERTIFICATE-----
`;

const BROKEN = CERTIFICATE.replace('MII', 'MIX');

describe('the files that TLS to Redis takes', () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-redis-tls-'));
    file = join(folder, 'file.pem');
  });
  after(() => rm(folder, { recursive: true }));

  const urlOf = (query: string): string => `rediss://:hunter2@127.0.0.1:1?${query}`;

  function read(query: string): unknown {
    const target = parseRedisUrl(urlOf(query));
    assert.ok(target);
    return readTlsFiles(target);
  }

  it('are read as they are', async () => {
    await writeFile(file, CERTIFICATE);
    assert.deepEqual(read(`tls_ca=${file}`), { ca: Buffer.from(CERTIFICATE) });
  });

  it('are refused where TLS would pass over what they hold', async () => {
    const { raw } = new X509Certificate(CERTIFICATE);
    for (const held of ['', 'no certificate', raw, BROKEN, CERTIFICATE + BROKEN]) {
      await writeFile(file, held);
      assert.throws(
        () => read(`tls_ca=${file}`),
        /^Error: `tls_ca` \(.*\) must hold certificates in PEM/,
      );
    }
  });

  it('of a certificate and its key go together, and fit', async () => {
    await writeFile(file, CERTIFICATE);
    assert.throws(() => read(`tls_key=${file}`), /`tls_cert` and `tls_key` go together/);
    assert.throws(
      () => read(`tls_cert=${file}&tls_key=${file}`),
      /must hold a certificate and its key in PEM, without a passphrase/,
    );
  });

  it('are read once: what becomes of them later harms no connection', async () => {
    await writeFile(file, CERTIFICATE);
    const open = subscribers(urlOf(`tls_ca=${file}`));
    await rm(file);
    open(1).disconnect();
    assert.throws(() => subscribers(urlOf(`tls_ca=${file}`)), /cannot be read \(`ENOENT`\)/);
  });
});
