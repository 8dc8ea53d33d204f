import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The commit that a directory is, or why it is none. */
export type CommitOf = { readonly commit: string } | { readonly note: string };

/** The git commit of a directory's content; none where files in it were changed since. */
export async function commitOf(directory: string): Promise<CommitOf> {
  try {
    const changed = await git(directory, ['status', '--porcelain', '--', '.']);
    if (changed !== '') {
      return { note: 'the directory has changes that are not committed; applied without a commit' };
    }
    return { commit: await git(directory, ['rev-parse', 'HEAD']) };
  } catch {
    return { note: 'the directory is not under git; applied without a commit' };
  }
}

async function git(directory: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', directory, ...args], { timeout: 10_000 });
  return stdout.trim();
}
