import pg from 'pg';
import { later, withinTime } from './later.js';

/** How long a client waits; without a bound it waits for ever. */
export interface PatientOptions extends pg.ClientConfig {
  /** Milliseconds in which a connection must be made. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds in which a query must be answered, unless it brings a `timeout` of its own. */
  readonly queryTimeout?: number | undefined;
}

/** A query that has a time of its own, in milliseconds. */
export interface TimedQuery extends pg.QueryConfig<unknown[]> {
  readonly timeout?: number | undefined;
}

type Callback = (...outcome: unknown[]) => void;

const LATE = Symbol('late');

/**
 * A connection to Postgres that is given up, and closed, where that is silent: what comes after would
 * only queue behind the answer that it owes. pg's own time-outs mistake a process that was too busy to
 * read for a Postgres that says nothing, and are not used.
 */
export class PatientClient extends pg.Client {
  readonly #connectTimeout: number | undefined;

  constructor(options: PatientOptions = {}) {
    super(options);
    this.#connectTimeout = options.connectTimeout;
    boundQueries(this, options.queryTimeout);
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Parameters<pg.Client['connect']>[0]): void;
  override connect(callback?: Parameters<pg.Client['connect']>[0]): Promise<pg.Client> | void {
    if (this.#connectTimeout !== undefined) void this.#connectWithin(this.#connectTimeout);
    return callback === undefined ? super.connect() : super.connect(callback);
  }

  async #connectWithin(time: number): Promise<void> {
    const over = new Promise<void>((resolve) => {
      this.once('connect', resolve);
      this.once('end', resolve);
    });
    if ((await withinTime(over, time, LATE)) !== LATE) return;
    const reason = new Error('Connection terminated due to connection timeout');
    this.connection.stream.destroy(reason);
  }
}

/** Closes a connection; with a query under way this destroys the socket, and its pool drops it. */
export function breakOff(client: pg.Client): void {
  client.end().catch(() => undefined);
}

function boundQueries(client: pg.Client, usual: number | undefined): void {
  const ask = client.query.bind(client) as (...asked: unknown[]) => unknown;
  const inTime = async (answer: Promise<unknown>, time: number): Promise<unknown> => {
    const answered = await withinTime(answer, time, LATE);
    if (answered !== LATE) return answered;
    breakOff(client);
    throw new Error('Query read timeout');
  };
  const query = (...asked: unknown[]): unknown => {
    const time = timeOf(asked[0]) ?? usual;
    if (time === undefined) return ask(...asked);
    if (asked[0] instanceof pg.Query) boundCallback(asked[0], (ended) => inTime(ended, time));
    const answer = ask(...asked);
    return answer instanceof Promise ? inTime(answer, time) : answer;
  };
  Object.assign(client, { query });
}

function timeOf(asked: unknown): number | undefined {
  return typeof asked === 'object' ? (asked as TimedQuery).timeout : undefined;
}

/** Has a query of pg's own kind, which tells a callback how it ended, fail where `bound` does. */
function boundCallback(asked: pg.Query, bound: (ended: Promise<void>) => Promise<unknown>): void {
  const query = asked as unknown as { callback?: Callback };
  const { callback } = query;
  if (callback === undefined) return;
  const ended = later<void>();
  query.callback = (...outcome) => {
    if (ended.isSettled) return;
    ended.resolve();
    callback(...outcome);
  };
  bound(ended.promise).catch((error: unknown) => query.callback?.(error));
}
