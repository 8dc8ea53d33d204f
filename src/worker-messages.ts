import type { Config } from './platform/config.js';
import type { Report } from './worker-metrics.js';

/** What the primary tells a worker. */
export type ToWorker =
  /** Begin, with these settings; the database that they name is ready. */
  | { readonly kind: 'start'; readonly config: Config }
  /** Turn `/health/ready` away; answer with `Connection: close`. */
  | { readonly kind: 'drain' }
  /** Take no new connections, and end those that are open with their next answer. */
  | { readonly kind: 'leave' }
  /** Finish what is in flight, and end. */
  | { readonly kind: 'stop' }
  /** Say what you have counted. */
  | { readonly kind: 'report' }
  /** The metrics that were asked for. */
  | { readonly kind: 'metrics'; readonly text: string };

/** What a worker tells the primary. */
export type FromWorker =
  /** The process runs, and wants its settings. */
  | { readonly kind: 'loaded' }
  /** It answers, at this address. */
  | { readonly kind: 'answering'; readonly url: string }
  /** It cannot start, or cannot go on, and ends. */
  | { readonly kind: 'failing'; readonly reason: string }
  /** Somebody has asked this process to end; another should take its place first. */
  | { readonly kind: 'retiring' }
  /** What it has counted; also told last of all. */
  | { readonly kind: 'report'; readonly report: Report }
  /** Asks for the metrics of all workers. */
  | { readonly kind: 'metrics' };
