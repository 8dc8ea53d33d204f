/**
 * A server's worth of embedded Postgres for tests that kill it: `DATA_DIR` as its argument. Prints
 * one line of JSON when it runs or has failed, answers each line of SQL on standard input with the
 * number of rows, and stops when standard input closes.
 */
import { createInterface } from 'node:readline';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/embedded-postgres.js';
import { createLogger } from '../../src/platform/log.js';

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);

try {
  const postgres = await startEmbeddedPostgres({
    dataDir: process.argv[2] ?? '',
    log: createLogger('error'),
  });
  const client = new pg.Client(postgres.url);
  client.on('error', () => undefined);
  await client.connect();
  say({ url: postgres.url });
  for await (const statement of createInterface({ input: process.stdin })) {
    const { rows } = await client.query(statement);
    say({ rows });
  }
  await client.end();
  await postgres.stop();
} catch (error) {
  say({ error: (error as Error).message });
}
