import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import closeWithGrace from 'close-with-grace';
import { type Config, loadConfig, unknownVariables } from './platform/config.js';
import { createLogger, type Logger } from './platform/log.js';
import { type RunningServer, startServer } from './server.js';

/** What `countersign serve` needs to know. */
export interface ServeOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Apply the policy directory again on every change of it. */
  readonly watch: boolean;
}

/** From the signal to the end, in milliseconds; more only where a long drain was asked for. */
const SHUTDOWN = 10_000;

/**
 * Runs a server in this process until it is told to stop or can no longer go on; then answers the
 * exit code.
 *
 * @throws SettingsError, InvalidBundle, EmbeddedPostgresError
 */
export async function serve({ env, cwd, watch }: ServeOptions): Promise<number> {
  const config = loadConfig(env, cwd);
  const log = createLogger(config.logLevel);
  const strangers = unknownVariables(env);
  if (strangers.length > 0) log.warn({ variables: strangers }, 'nothing reads these variables');
  if (config.audit === 'off') log.warn('decisions are not stored: COUNTERSIGN_AUDIT is `off`');
  if (config.workers !== 1)
    log.warn('this version runs one process, whatever COUNTERSIGN_WORKERS says');

  const server = await startServer(config, { log, watch });
  announce(server, config, cwd);
  return untilStopped(server, config, log);
}

/** Standard output: where the server listens, and where it is our own, how to ask it something. */
function announce({ url }: RunningServer, { databaseUrl, dataDir }: Config, cwd: string): void {
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

function untilStopped(server: RunningServer, config: Config, log: Logger): Promise<number> {
  return new Promise((resolve) => {
    const grace = closeWithGrace(
      { delay: Math.max(SHUTDOWN, config.drainMs + SHUTDOWN / 2), logger: false },
      async ({ err, signal }) => {
        if (err) log.fatal({ err }, 'the server failed; it stops');
        else log.info({ signal }, 'the server stops');
        server.drain();
        // A load balancer needs time to see it; a person at the terminal does not.
        if (signal === 'SIGTERM') await delay(config.drainMs);
        await server.stop();
        log.info('the server has stopped');
      },
    );
    void server.failed.then((reason) => {
      log.fatal({ reason }, 'the database ended; the server cannot go on');
      grace.uninstall();
      server.drain();
      void server
        .stop()
        .catch((error: unknown) => log.error({ err: error }, 'not everything could be closed'))
        .finally(() => resolve(1));
    });
  });
}
