import { type Dirent } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { type BundleFault, InvalidBundle } from '../errors.js';
import { MAX_BUNDLE_BYTES, roleOf, tooLarge } from './bundle-file-set.js';
import { BUNDLE_FILE, readBundleFile } from './bundle-settings.js';
import { inOrder, unknownFile } from './compile-bundle.js';
import type { BundleFiles } from './compiled-bundle.js';
import { isModelName, modelPath } from './locate-model.js';

/** The files of a bundle as found on disk, and what lay there besides. */
export interface BundleDirectory {
  readonly files: BundleFiles;
  readonly warnings: readonly BundleFault[];
}

/** The folders of a bundle; files in deeper ones have no part in it. */
const FOLDERS = ['rules', 'governance', 'tests', 'models'];

/**
 * Reads the directory of a bundle: the files that have a part in it, and the model that it names,
 * which may lie beside it (`../models/NAME.conf`). Names of files that have none are warnings.
 *
 * @throws InvalidBundle where a file cannot be read, is no UTF-8, leads out of the directory by a
 *   symbolic link, or where all of them hold more than 64 MiB
 */
export async function readBundleDirectory(directory: string): Promise<BundleDirectory> {
  const reader = new Reader(await rootOf(directory));
  for (const path of await reader.list('')) {
    if (roleOf(path) !== undefined) await reader.read(path);
  }
  await reader.readModel();
  return reader.finish();
}

async function rootOf(directory: string): Promise<string> {
  try {
    const root = await realpath(resolve(directory));
    if ((await stat(root)).isDirectory()) return root;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const message = `there is no directory \`${directory}\`; name the one that holds \`${BUNDLE_FILE}\``;
  throw new InvalidBundle([{ file: BUNDLE_FILE, line: 1, column: 1, message }]);
}

class Reader {
  readonly #root: string;
  readonly #files = new Map<string, string>();
  readonly #passedOver = new Set<string>();
  readonly #faults: BundleFault[] = [];
  #bytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** The files of a folder, by their path in the bundle; those of the bundle's own folders too. */
  async list(folder: string): Promise<string[]> {
    const paths: string[] = [];
    for (const entry of await this.#entries(folder)) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (isHidden(entry)) continue;
      if (folder === '' && FOLDERS.includes(entry.name)) paths.push(...(await this.list(path)));
      else if (roleOf(path) !== undefined) paths.push(path);
      else if (!entry.name.endsWith('.md')) this.#passedOver.add(path);
    }
    return paths;
  }

  async #entries(folder: string): Promise<Dirent[]> {
    try {
      if (folder !== '' && !(await this.#isInside(join(this.#root, folder), folder))) return [];
      return await readdir(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      this.#fault(folder, `the folder cannot be read (${codeOf(error)})`);
      return [];
    }
  }

  /** Reads a file of the bundle, which lies at the same path below `base`. */
  async read(path: string, base: string = this.#root): Promise<void> {
    const from = join(base, path);
    try {
      if (!(await this.#isInside(from, path, base))) return;
      const { size, isFile } = await kindOf(from);
      if (!isFile) return this.#fault(path, 'this is no file');
      this.#bytes += size;
      if (this.#bytes > MAX_BUNDLE_BYTES) return;
      const text = decode(await readFile(from));
      if (typeof text === 'string') this.#files.set(path, text);
      else this.#faults.push({ file: path, ...text });
    } catch (error) {
      this.#fault(path, `the file cannot be read (${codeOf(error)})`);
    }
  }

  /** Reads the model that `bundle.yaml` names, where it is not in the bundle's `models/`. */
  async readModel(): Promise<void> {
    // What is wrong with `bundle.yaml` is told when the bundle is compiled.
    const model = readBundleFile(this.#files).document?.model;
    if (model === undefined) return;
    const path = modelPath(model);
    if (this.#files.has(path)) return;
    if (isModelName(model)) {
      const beside = dirname(this.#root);
      if (await isThere(join(beside, path))) await this.read(path, beside);
    } else if (this.#passedOver.delete(path) || (await this.#isOwn(path))) {
      await this.read(path);
    }
  }

  finish(): BundleDirectory {
    if (this.#bytes > MAX_BUNDLE_BYTES) this.#faults.push(tooLarge(this.#bytes));
    if (this.#faults.length > 0) throw new InvalidBundle(inOrder(this.#faults));
    return { files: this.#files, warnings: inOrder([...this.#passedOver].map(unknownFile)) };
  }

  /** Whether a path that `bundle.yaml` names is a file below it; where not, compiling says so. */
  async #isOwn(path: string): Promise<boolean> {
    const full = resolve(this.#root, path);
    return path.endsWith('.conf') && full.startsWith(this.#root + sep) && (await isThere(full));
  }

  /** Symbolic links may lead about in the bundle, as in a mounted ConfigMap, and not out of it. */
  async #isInside(full: string, path: string, base: string = this.#root): Promise<boolean> {
    const real = await realpath(full);
    if (real.startsWith(base.endsWith(sep) ? base : base + sep)) return true;
    this.#fault(path, 'a symbolic link that leaves the bundle; put the file itself here');
    return false;
  }

  #fault(path: string, message: string): void {
    this.#faults.push({ file: path === '' ? BUNDLE_FILE : path, line: 1, column: 1, message });
  }
}

function isHidden(entry: Dirent): boolean {
  return entry.name.startsWith('.');
}

async function kindOf(path: string): Promise<{ size: number; isFile: boolean }> {
  const found = await stat(path);
  return { size: found.size, isFile: found.isFile() };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** The text of a file, or where it stops being UTF-8. */
function decode(bytes: Buffer): string | { line: number; column: number; message: string } {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const before = validPrefix(bytes);
    return {
      line: before.split('\n').length,
      column: before.length - before.lastIndexOf('\n'),
      message: 'the file is no valid UTF-8 from here; save it as UTF-8',
    };
  }
}

/** The text before the first byte that is no UTF-8. */
function validPrefix(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  for (let at = text.indexOf('\uFFFD'); at !== -1; at = text.indexOf('\uFFFD', at + 1)) {
    const prefix = Buffer.from(text.slice(0, at));
    const replacement = bytes.subarray(prefix.length, prefix.length + 3);
    if (!replacement.equals(Buffer.from('\uFFFD'))) return text.slice(0, at);
  }
  return text;
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}
