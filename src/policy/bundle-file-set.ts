import { createHash } from 'node:crypto';
import type { BundleFault } from '../errors.js';
import { atOnce, type Work } from '../platform/turns.js';
import type { BundleFiles } from './compiled-bundle.js';

/** The most that the files of a bundle may hold together, in bytes of UTF-8. */
export const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;

/** What a file of a bundle is for, by its path; undefined where it has no part in it. */
export type FileRole = 'bundle' | 'rules' | 'governance' | 'tests' | 'model';

/** The role that a path gives a file. */
export function roleOf(path: string): FileRole | undefined {
  if (path === 'bundle.yaml') return 'bundle';
  if (/^rules\/[^/]+\.csv$/.test(path)) return 'rules';
  if (/^governance\/[^/]+\.ya?ml$/.test(path)) return 'governance';
  if (/^tests\/[^/]+\.ya?ml$/.test(path)) return 'tests';
  if (/^models\/[^/]+\.conf$/.test(path)) return 'model';
  return undefined;
}

/** Why a path cannot be one of a bundle; undefined where it can. */
export function pathFault(path: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]|\p{Surrogate}/u.test(path)) {
    return 'the path holds a character that no path may hold; rename the file';
  }
  if (path.includes('\\')) return 'the path holds a `\\`; write it with `/`';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) {
    return 'the path is absolute; write it relative to `bundle.yaml`';
  }
  const steps = path.split('/');
  if (steps.includes('..')) return 'the path leaves the bundle; keep its files below `bundle.yaml`';
  if (steps.includes('.') || steps.includes('')) return 'the path is not in its shortest form';
  if (path.length > 512) return 'the path has more than 512 characters';
  return undefined;
}

/** What is wrong with the paths and the characters of a bundle's files, whatever they say. */
export function fileFaults(files: BundleFiles): BundleFault[] {
  const faults: BundleFault[] = [];
  for (const [path, text] of files) {
    const file = path.toWellFormed();
    const message = pathFault(path);
    if (message !== undefined) faults.push({ file, line: 1, column: 1, message });
    // The reader of YAML tells its own.
    if (isYaml(path) || isStorable(text)) continue;
    text.split('\n').forEach((content, index) => {
      const at = content.search(UNSTORABLE);
      if (at === -1) return;
      const place = { line: index + 1, column: at + 1 };
      faults.push({ file, ...place, message: unstorableMessage(content, at) });
    });
  }
  return faults;
}

/** The files that can be read for what else is wrong with them: those that may have their path. */
export function readableFiles(files: BundleFiles): BundleFiles {
  return new Map(
    [...files]
      .filter(([path]) => pathFault(path) === undefined)
      .map(([path, text]) => [
        path,
        isYaml(path) || isStorable(text) ? text : text.replace(UNSTORABLE, '\uFFFD'),
      ]),
  );
}

/** How much the files of a bundle hold together, in bytes of UTF-8. */
export function bytesOf(files: BundleFiles): number {
  let bytes = 0;
  for (const text of files.values()) bytes += Buffer.byteLength(text);
  return bytes;
}

const UNSTORABLE = /\p{Surrogate}|\0/gu;

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function isYaml(path: string): boolean {
  return ['bundle', 'governance', 'tests'].includes(roleOf(path) ?? '');
}

/** The fault of a bundle that holds more than `MAX_BUNDLE_BYTES`. */
export function tooLarge(bytes: number): BundleFault {
  const mebibytes = (bytes / 1024 / 1024).toFixed(1);
  const message = `the bundle holds ${mebibytes} MiB; at most 64 MiB are taken`;
  return { file: 'bundle.yaml', line: 1, column: 1, message };
}

function unstorableMessage(text: string, offset: number): string {
  return text[offset] === '\0'
    ? 'remove the control character `U+0000`'
    : 'a lone surrogate, which is no valid Unicode; remove it';
}

/**
 * Two bundles with the same digest decide the same: SHA-256 over every file and the text of the
 * model, which may come from elsewhere. Each part is led by its length, so that no two sets of files
 * run together to the same bytes.
 */
export function digestOf(files: BundleFiles, modelText: string): Buffer {
  return atOnce(digesting(files, modelText));
}

/** `digestOf` as work of many turns: it pauses after each mebibyte. */
export function* digesting(files: BundleFiles, modelText: string): Work<Buffer> {
  const hash = createHash('sha256');
  function* add(text: string): Work<void> {
    hash.update(`${Buffer.byteLength(text)}\n`);
    for (const piece of piecesOf(text)) {
      hash.update(piece, 'utf8');
      yield;
    }
  }
  for (const path of [...files.keys()].sort(compareBytes)) {
    yield* add(path);
    yield* add(files.get(path) ?? '');
  }
  yield* add(modelText);
  return hash.digest();
}

const PIECE = 1024 * 1024;

/** A text in pieces of about a million characters; none ends within a character. */
export function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + PIECE, text.length);
    if (end < text.length && isHighSurrogate(text.charCodeAt(end - 1))) end -= 1;
    yield text.slice(start, end);
    start = end;
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

/** Orders paths by their UTF-8 bytes: the order in which files of rules rank. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
