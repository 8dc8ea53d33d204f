import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as recorder from '../src/audit/recorder.js';
import type * as createEngine from '../src/engine/create-engine.js';
import type * as model from '../src/engine/model.js';
import type * as database from '../src/platform/database.js';
import type * as currentPolicy from '../src/policy/current-policy.js';
import type * as policyService from '../src/policy/policy-service.js';

/** This checkout. */
export const HERE = new URL('..', import.meta.url).pathname;

/** The modules that are measured without a server around them, by their path in `src/`. */
interface Modules {
  readonly 'audit/recorder': typeof recorder;
  readonly 'engine/create-engine': typeof createEngine;
  readonly 'engine/model': typeof model;
  readonly 'platform/database': typeof database;
  readonly 'policy/current-policy': typeof currentPolicy;
  readonly 'policy/policy-service': typeof policyService;
}

/**
 * Loads a module as it was built: what is measured is what is shipped, of any checkout.
 */
export async function built<Path extends keyof Modules>(
  path: Path,
  checkout = HERE,
): Promise<Modules[Path]> {
  const file = join(checkout, 'dist', `${path}.js`);
  return (await import(pathToFileURL(file).href)) as Modules[Path];
}
