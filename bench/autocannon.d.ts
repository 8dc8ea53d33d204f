// What the load generator uses of autocannon 9, which brings no types of its own.
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  /** One request that a connection sends, over and over with the others of its list. */
  export interface Request {
    readonly method: 'POST';
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }

  /** One connection. */
  export interface Client {
    setRequests(requests: readonly Request[]): void;
  }

  export interface Options {
    readonly url: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
    /** Milliseconds between two looks at the clock. */
    readonly sampleInt?: number;
    readonly setupClient: (client: Client) => void;
    /** Whether an answer is what it should be; counted in `mismatches` where not. */
    readonly verifyBody: (body: string) => boolean;
  }

  export interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly mismatches: number;
    readonly non2xx: number;
  }

  export interface Instance extends EventEmitter {
    on(
      event: 'response',
      listener: (client: Client, status: number, bytes: number, milliseconds: number) => void,
    ): this;
  }

  export default function autocannon(
    options: Options,
    done: (error: Error | null, result: Result) => void,
  ): Instance;
}
