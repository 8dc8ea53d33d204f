#!/usr/bin/env node
import { runCommandLine } from './cli/program.js';

/** What asks a server to stop. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

// A reader that has seen enough, as `head` has, is no failure; a full disk is. Neither is a stack.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') return;
  process.stderr.write(`error: the output cannot be written: ${message}\n`);
  process.exitCode = 1;
});
// There is nobody left to tell.
process.stderr.on('error', () => {});

const exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  fetch: globalThis.fetch,
  // The other commands start faster without all that a server is made of.
  serve: async (options) => {
    // Nothing is open while the server is loaded, and it takes over what signals mean.
    const leave = (): void => process.exit(0);
    for (const signal of SIGNALS) process.on(signal, leave);
    const { serve } = await import('./serve.js');
    for (const signal of SIGNALS) process.off(signal, leave);
    return serve(options);
  },
});
process.exitCode ||= exitCode;
