import { isMainThread } from 'node:worker_threads';

// tsx reads TypeScript in the main thread alone; a thread of the server's is TypeScript here, too.
if (!isMainThread) {
  const { register } = await import('tsx/esm/api');
  register();
}
