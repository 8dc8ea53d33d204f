import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { type Config, loadConfig, unknownVariables } from './platform/config.js';
import { keepGarbageYoung } from './platform/heap.js';
import { createLogger } from './platform/log.js';
import { warmTicks } from './platform/warm-ticks.js';
import { startServer } from './server.js';
import { type Stoppable, untilStopped } from './until-stopped.js';
import type { WorkersOptions } from './workers.js';

/** What `countersign serve` needs to know. */
export interface ServeOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Apply the policy directory again on every change of it. */
  readonly watch: boolean;
}

/**
 * Runs a server until it is told to stop or can no longer go on; then answers the exit code. One
 * process, this one, or workers of it.
 *
 * @throws SettingsError, InvalidBundle, EmbeddedPostgresError
 */
export async function serve({ env, cwd, watch }: ServeOptions): Promise<number> {
  keepGarbageYoung();
  warmTicks();
  const config = loadConfig(env, cwd);
  const log = createLogger(config.logLevel);
  const strangers = unknownVariables(env);
  if (strangers.length > 0) log.warn({ variables: strangers }, 'nothing reads these variables');
  if (config.audit === 'off') log.warn('decisions are not stored: COUNTERSIGN_AUDIT is `off`');

  const workers = config.workers === 'auto' ? availableParallelism() : config.workers;
  const start = async (signal: AbortSignal): Promise<Stoppable> => {
    const server = await startEither(config, { workers, log, watch, signal });
    // Whoever has read the line may send a signal.
    if (!signal.aborted) announce(server.url, config, cwd);
    return server;
  };
  return untilStopped(start, { drainMs: config.drainMs, log, restarts: workers > 1 });
}

async function startEither(
  config: Config,
  options: Required<WorkersOptions>,
): Promise<Stoppable & { readonly url: string }> {
  if (options.workers === 1) return startServer(config, options);
  // One process starts faster without all that it takes to have several.
  const { startWorkers } = await import('./workers.js');
  return startWorkers(config, options);
}

/** Standard output: where the server listens, and where it is our own, how to ask it something. */
function announce(url: string, { databaseUrl, dataDir }: Config, cwd: string): void {
  process.stdout.write(`listening on ${url}\n`);
  if (databaseUrl !== undefined) return;
  const keyFile = `${relative(cwd, dataDir) || '.'}/root.key`;
  process.stdout.write(`
Ask it whether bob may write a document (another terminal, same folder):

  curl -s ${url}/check \\
    -H "Authorization: Bearer $(cat ${keyFile})" \\
    -H "Content-Type: application/json" \\
    -d '{"tenant": "acme", "subject": "bob", "action": "write", "resource": "document:1"}'

`);
}
