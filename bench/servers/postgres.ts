import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/embedded-postgres.js';
import { createLogger } from '../../src/platform/log.js';

/** Starts a Postgres as the server embeds it, for servers that it outlives. */
export async function startPostgres() {
  const dataDir = await mkdtemp(join(tmpdir(), 'countersign-bench-'));
  // Where root runs this, the database's own user passes through.
  await chmod(dataDir, 0o711);
  const postgres = await startEmbeddedPostgres({ dataDir, log: createLogger('warn') });
  return {
    url: postgres.url,
    stop: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
