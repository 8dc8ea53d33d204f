import type { Caller } from '../identity/caller.js';
import type { ConnectionOptions } from '../platform/database.js';
import type { Answer } from './route.js';

/** A call about a large bundle, as it goes to the thread that answers it. */
export interface BundleCall {
  readonly method: 'GET' | 'POST';
  /** That of the route. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
  readonly requestId: string;
  /** What was sent, in pieces that go over to the thread. */
  readonly body: readonly Uint8Array<ArrayBuffer>[] | undefined;
}

/** How the thread's connection to Postgres behaves. */
export type ThreadConnection = Pick<
  ConnectionOptions,
  'firstTimeout' | 'queryTimeout' | 'transactionTimeout' | 'connectTimeout'
>;

/** What the thread begins with. */
export interface BundleThreadData {
  /** Where Postgres is, and how the thread's own connection behaves. */
  readonly url: string;
  readonly connection: ThreadConnection;
  readonly call: BundleCall;
}

/** What the thread tells, a bundle that it committed first, its answer last. */
export type BundleThreadMessage =
  | { readonly log: 'debug' | 'info' | 'warn' | 'error'; members: object; message: string }
  | { readonly committed: number }
  | {
      readonly answer: {
        readonly status: number;
        readonly headers: Readonly<Record<string, string>>;
        readonly bytes: Uint8Array;
      };
    };

/** What answers calls about large bundles, off the event loop. */
export interface BundleThread {
  /**
   * Answers as the route would.
   *
   * @throws PayloadTooLarge where the bundle takes more memory than there is; Unavailable where too
   *   many others wait, or it took too long
   */
  answer(call: BundleCall): Promise<Answer>;
  /** Ends what runs; what it had not committed never was. */
  stop(): Promise<void>;
}
