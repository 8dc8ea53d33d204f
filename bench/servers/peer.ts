import { CHANGE_NUMBER } from '../workloads.js';

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
  /** A number that stands in each body, and becomes another in each request: none is sent twice. */
  readonly renumber?: string;
  /** Connections that are open at once; as many as usual unless given. */
  readonly connections?: number;
  /** Stands in every good answer, once for each decision. */
  readonly expect: string;
  /** Decisions that one request asks for. */
  readonly decisions: number;
}

/** The same server, asked no check twice; it is stopped as the one that was given. */
export function everNew(peer: Peer): Peer {
  return askedOtherwise(peer, 'no check twice', { renumber: CHANGE_NUMBER });
}

/** The same server, asked over so many connections; it is stopped as the one that was given. */
export function over(connections: number, peer: Peer): Peer {
  return askedOtherwise(peer, `${connections} connections`, { connections });
}

function askedOtherwise(peer: Peer, how: string, target: Partial<Target>): Peer {
  return {
    ...peer,
    name: `${peer.name}, ${how}`,
    target: { ...peer.target, ...target },
    stop: async () => undefined,
  };
}
