#!/usr/bin/env node
import { runCommandLine } from './cli/program.js';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  fetch: globalThis.fetch,
  // The other commands start faster without all that a server is made of.
  serve: async (options) => (await import('./serve.js')).serve(options),
});
