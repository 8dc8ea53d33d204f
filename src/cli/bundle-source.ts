import { existsSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { type BundleFault, InvalidBundle } from '../errors.js';
import { readBundleDirectory } from '../policy/bundle-directory.js';
import { compileBundle } from '../policy/compile-bundle.js';
import type { BundleFiles, CompiledBundle } from '../policy/compiled-bundle.js';
import { loadShippedModels } from '../policy/shipped-models.js';
import { counted } from './counted.js';
import { CommandFailed, EXIT, usageError } from './exit-codes.js';
import type { PrintOptions } from './server-command.js';
import { printable, type Screen } from './screen.js';
import type { Surroundings } from './surroundings.js';

/** A bundle on disk, without faults. */
export interface LocalBundle {
  readonly files: BundleFiles;
  readonly bundle: CompiledBundle;
  readonly warnings: readonly BundleFault[];
  /** The path that a person can open for a fault's file: relative to the working directory. */
  readonly pathOf: (file: string) => string;
}

/** The directory that the command line names, else that of the settings, else `policies`. */
export function bundleDirectory({ env }: Surroundings, given: string | undefined): string {
  return given ?? (env['COUNTERSIGN_POLICY_DIR'] || 'policies');
}

/** Where a directory of the command line lies; ends the command where there is none. */
export function existingDirectory({ cwd }: Surroundings, directory: string): string {
  const root = resolve(cwd, directory);
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory()) return root;
  throw usageError(`there is no directory \`${directory}\`; name one that holds a \`bundle.yaml\``);
}

/** Reads and compiles the bundle of a directory; its faults end the command, shown. */
export async function loadBundle(
  surroundings: Surroundings,
  directory: string,
  screen: Screen,
  options: PrintOptions,
): Promise<LocalBundle> {
  const root = existingDirectory(surroundings, directory);
  const pathOf = pathsBelow(surroundings.cwd, directory);
  const refuse = (faults: readonly BundleFault[], warnings: readonly BundleFault[]) =>
    refuseFaults(screen, options, faults, warnings, pathOf);
  const { files, warnings } = await readBundleDirectory(root).catch((error: unknown) => {
    throw error instanceof InvalidBundle ? refuse(error.faults, []) : error;
  });
  const compilation = compileBundle(files, { shippedModels: await loadShippedModels() });
  const allWarnings = [...warnings, ...compilation.warnings];
  if ('faults' in compilation) throw refuse(compilation.faults, allWarnings);
  return { files, bundle: compilation.bundle, warnings: allWarnings, pathOf };
}

/**
 * Where a person finds the files of a bundle, relative to `cwd`. A model that was found beside the
 * bundle stands as `models/…` in it.
 */
export function pathsBelow(cwd: string, directory: string): (file: string) => string {
  return (file) => {
    const inside = resolve(cwd, directory, file);
    const beside = resolve(cwd, directory, '..', file);
    const found = !existsSync(inside) && existsSync(beside) ? beside : inside;
    return relative(cwd, found) || found;
  };
}

/** Shows faults and gives back what ends the command with them. */
export function refuseFaults(
  screen: Screen,
  options: PrintOptions,
  faults: readonly BundleFault[],
  warnings: readonly BundleFault[],
  pathOf: (file: string) => string,
): CommandFailed {
  if (options.json) {
    const placed = (fault: BundleFault) => ({ ...fault, file: pathOf(fault.file) });
    screen.data({ valid: false, errors: faults.map(placed), warnings: warnings.map(placed) });
    return new CommandFailed(EXIT.invalidBundle);
  }
  showWarnings(screen, warnings, pathOf);
  screen.note(...faults.map((fault) => screen.noteColours.red(faultLine(fault, pathOf))));
  return new CommandFailed(EXIT.invalidBundle, `${counted(faults.length, 'fault')} in the bundle`);
}

/** Shows what does not keep a bundle from being applied. */
export function showWarnings(
  screen: Screen,
  warnings: readonly BundleFault[],
  pathOf: (file: string) => string,
): void {
  for (const warning of warnings) {
    const { file, line, column, message } = warning;
    screen.note(faultLine({ file, line, column, message: `warning: ${message}` }, pathOf));
  }
}

/** `file:line:column: message`, as editors and terminals make it a link. */
export function faultLine(fault: BundleFault, pathOf: (file: string) => string): string {
  return printable(`${pathOf(fault.file)}:${fault.line}:${fault.column}: ${fault.message}`);
}
