#!/usr/bin/env node
import { runCommandLine } from './cli/program.js';
import { serve } from './serve.js';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  stdout: process.stdout,
  stderr: process.stderr,
  fetch: globalThis.fetch,
  serve,
});
