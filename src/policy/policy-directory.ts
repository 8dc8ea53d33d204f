import { type FSWatcher, watch } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CountersignError, InvalidBundle, SettingsError } from '../errors.js';
import { readBundleDirectory } from './bundle-directory.js';
import { BUNDLE_FILE } from './bundle-settings.js';
import type { ApplyResult } from './apply-bundle.js';
import type { PolicyService } from './policy-service.js';

/** The actor of what the server applies by itself. */
const ACTOR = 'policy-directory';

/** Editors write a file in several steps: changes this close together, in ms, are one. */
const QUIET = 200;

/** The part of the log that is used here. */
export interface DirectoryLog {
  info(members: object, message: string): void;
  warn(members: object, message: string): void;
}

/**
 * Applies the bundle of a directory where the store holds none yet. Without a bundle in the directory
 * there is nothing to do.
 *
 * @throws InvalidBundle
 */
export async function applyAtFirstStart(
  policy: PolicyService,
  directory: string,
  log: DirectoryLog,
): Promise<void> {
  const { items } = await policy.history({ limit: 1 });
  if (items.length > 0) return;
  if (!(await holdsBundle(directory))) {
    log.warn({ directory }, 'no bundle was applied yet, and the policy directory holds none');
    return;
  }
  told(await applyDirectory(policy, directory), directory, log);
}

/** Applies the bundle of a directory. Applying the same again changes nothing. */
async function applyDirectory(policy: PolicyService, directory: string): Promise<ApplyResult> {
  const { files } = await readBundleDirectory(directory);
  return policy.apply({ files, actor: ACTOR });
}

/**
 * Applies the directory again whenever a file in it changes. A bundle with faults is logged and
 * leaves in force what was. Answers how to stop.
 */
export function watchDirectory(
  policy: PolicyService,
  directory: string,
  log: DirectoryLog,
): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const apply = async (): Promise<void> => {
    try {
      told(await applyDirectory(policy, directory), directory, log);
    } catch (error) {
      log.warn({ ...reasonOf(error), directory }, 'the policy directory could not be applied');
    }
  };
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(apply);
    }, QUIET);
  };
  const watcher = openWatcher(directory, soon);
  watcher.on('error', (error) => log.warn({ err: error, directory }, 'cannot watch the directory'));
  // What was edited while no server ran counts too.
  soon();
  return async () => {
    watcher.close();
    clearTimeout(timer);
    await running;
  };
}

function openWatcher(directory: string, changed: () => void): FSWatcher {
  try {
    return watch(directory, { recursive: true }, changed);
  } catch {
    throw new SettingsError([
      `\`COUNTERSIGN_POLICY_DIR\`: the directory \`${directory}\` cannot be watched; is it there?`,
    ]);
  }
}

async function holdsBundle(directory: string): Promise<boolean> {
  try {
    await access(join(directory, BUNDLE_FILE));
    return true;
  } catch {
    return false;
  }
}

function told(result: ApplyResult, directory: string, log: DirectoryLog): void {
  const { bundle, revision, changed, warnings } = result;
  if (changed) log.info({ bundle, revision, directory }, 'applied the policy directory');
  for (const { file, line, column, message } of warnings) {
    log.warn({ place: `${file}:${line}:${column}` }, message);
  }
}

function reasonOf(error: unknown): object {
  if (error instanceof InvalidBundle) {
    return { faults: error.faults.map((f) => `${f.file}:${f.line}:${f.column}: ${f.message}`) };
  }
  return error instanceof CountersignError ? { reason: error.message } : { err: error };
}
