// Empties dist/: a migration that was renamed must not be run from what an earlier build left.
import { rmSync } from 'node:fs';

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true });
