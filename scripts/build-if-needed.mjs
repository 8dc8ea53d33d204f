// Builds dist/ where a source is newer than it, so that `npm start` need not wait for a compiler
// that has nothing to do. Plain JavaScript: it runs before anything is built.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Milliseconds since the epoch; 0 for what is not there. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isUpToDate() {
  const built = changedAt(join(root, 'dist', 'main.js'));
  const configs = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    // A folder changes when a file in it is removed.
    .map((name) => join('src', name));
  return [...configs, 'src', ...sources].every((name) => changedAt(join(root, name)) <= built);
}

if (!isUpToDate()) {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
