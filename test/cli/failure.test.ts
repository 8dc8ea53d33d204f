import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { sql } from 'kysely';
import { connectDatabase } from '../../src/platform/database.js';
import { commandLine } from '../support/command-line.js';
import { POSTGRES_URL } from '../support/test-postgres.js';

describe('a start that fails', () => {
  /** What `countersign serve` says on its end. */
  const saidOf = async (fail: () => Promise<unknown>): Promise<string> => {
    const ran = await commandLine(['serve'], { serve: async () => (await fail(), 0) });
    assert.equal(ran.exitCode, 1);
    return ran.stderr;
  };
  const listening = (host: string, port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const server = createServer().listen(port, host);
      server.on('listening', () => {
        const address = server.address();
        server.close();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
      server.on('error', reject);
    });
  const asking = (change: (url: URL) => void) => async (): Promise<void> => {
    const url = new URL(POSTGRES_URL);
    change(url);
    const connection = connectDatabase(url.href, { max: 1, queryTimeout: 5_000 });
    try {
      await sql`SELECT 1`.execute(connection.database);
    } finally {
      await connection.close();
    }
  };

  it('says which setting to look at where the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    assert.equal(
      await saidOf(() => listening('127.0.0.1', port)),
      `error: listen EADDRINUSE: address already in use 127.0.0.1:${port}: another program listens there; stop that, or set \`PORT\`\n`,
    );
    taken.close();
  });

  it('says so where the address is none of this machine', async () => {
    assert.match(await saidOf(() => listening('192.0.2.1', 0)), /correct `HOST`\n$/);
  });

  it('says so where no Postgres listens', async () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const said = await saidOf(
        asking((url) => Object.assign(url, { search: '', host: `${host}:1` })),
      );
      assert.match(said, /^error: .*ECONNREFUSED.*start it, or correct `DATABASE_URL`\n$/);
    }
  });

  it('says so where each address of a host refuses', async () => {
    const refusals = ['::1', '127.0.0.1'].map((address) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}:1`), { syscall: 'connect' }),
    );
    const all = Object.assign(new AggregateError(refusals), { code: 'ECONNREFUSED' });
    assert.equal(
      await saidOf(() => Promise.reject(all)),
      'error: connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1: no Postgres listens there; start it, or correct `DATABASE_URL`\n',
    );
  });

  it('says so where there is no such database', async () => {
    const said = await saidOf(asking((url) => Object.assign(url, { pathname: '/none_such' })));
    assert.match(said, /"none_such" does not exist: make it, or correct `DATABASE_URL`\n$/);
  });

  it('says so where the folder cannot be made', async () => {
    const said = await saidOf(() => mkdir('/dev/null/data', { recursive: true }));
    assert.match(said, /^error: ENOTDIR.*`COUNTERSIGN_DATA_DIR`.*\n$/);
  });

  it('adds nothing to what it does not know', async () => {
    const fail = () => Promise.reject(new Error('something else'));
    assert.equal(await saidOf(fail), 'error: something else\n');
  });
});
