/** A server under measurement, in a process of its own. */
export interface Peer {
  readonly name: string;
  readonly pid: number;
  /** What it is asked. */
  readonly target: Target;
  stop(): Promise<void>;
}

/** What a load generator sends, and how it knows a good answer. */
export interface Target {
  /** `http://HOST:PORT` */
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The connections share them out and send each in turn, over and over. */
  readonly bodies: readonly string[];
  /** Stands in every good answer, once for each decision. */
  readonly expect: string;
  /** Decisions that one request asks for. */
  readonly decisions: number;
}
