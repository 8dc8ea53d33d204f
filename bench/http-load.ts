import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { LoadJob, LoadResult } from './load-generator.js';
import { processorTime } from './processor-time.js';
import type { Peer } from './servers/peer.js';

/** One round of load on one server. */
export interface Round extends LoadResult {
  /** Requests a second. */
  readonly rate: number;
  /** Microseconds of processor time that the server used for one request. */
  readonly cpu: number;
  /** The same of what it started: its embedded Postgres. */
  readonly otherCpu: number;
}

/** A load generator in a process of its own. */
export interface LoadGenerator {
  /** Loads a server. Throws where any answer is not what it should be. */
  load(peer: Peer, seconds: number): Promise<Round>;
  stop(): void;
}

/** Connections that are open at once. */
export const CONNECTIONS = 32;

/** Starts the generator. It ends with this process. */
export function startLoadGenerator(connections = CONNECTIONS): LoadGenerator {
  const child = fork(new URL('./load-generator.ts', import.meta.url), {
    execArgv: ['--import', import.meta.resolve('tsx/esm')],
  });
  return {
    async load(peer, seconds) {
      const before = processorTime(peer.pid);
      const { target } = peer;
      const job: LoadJob = { target, connections: target.connections ?? connections, seconds };
      child.send(job);
      const [result] = (await once(child, 'message')) as [LoadResult];
      if (result.bad > 0) {
        throw new Error(`${peer.name}: ${result.bad} answers were not what they should be`);
      }
      const after = processorTime(peer.pid);
      return {
        ...result,
        rate: result.requests / result.seconds,
        cpu: ((after.own - before.own) * 1_000_000) / result.requests,
        otherCpu: ((after.others - before.others) * 1_000_000) / result.requests,
      };
    },
    stop: () => void child.kill(),
  };
}
