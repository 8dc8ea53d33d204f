import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Closer } from './closers.js';

/**
 * Names address and process in the data directory (`server.json`), for the command line; gone once
 * the server stops.
 */
export async function nameServer(dataDir: string, address: string): Promise<Closer> {
  const file = join(dataDir, 'server.json');
  await writeFile(file, `${JSON.stringify({ address, pid: process.pid })}\n`, { mode: 0o600 });
  return () => rm(file, { force: true });
}
