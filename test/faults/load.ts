import { changingLines, DOCUMENTS, type Reading, SUBJECTS } from './oracle.js';
import { type Random, randomOf } from './random.js';
import type { Node, Reply, World } from './world.js';

/**
 * What is asked: `read` and `batch` need no store, `limited` a counter, `vault` the approvals, and
 * `write` changes rules and then asks another server for a read of that revision or a later one.
 */
export type Kind = 'read' | 'batch' | 'limited' | 'vault' | 'write';

/** One answer, and what it was an answer to. */
export interface Answered extends Reply {
  readonly node: Node;
  readonly kind: Kind;
  /** What was read; none for a `write`, several for a `batch`. */
  readonly readings: readonly Reading[];
  /** The revision that the answer must have reached: asked for, or seen before on this server. */
  readonly least: number;
}

/** A request that no answer came to. */
export interface Unanswered {
  readonly node: Node;
  readonly kind: Kind;
  readonly why: string;
}

/** One after another's requests. */
export interface Client {
  /** What it draws from. */
  readonly mix: readonly Kind[];
  /** Whom it asks; any of the three unless given. */
  readonly nodes?: readonly Node[];
  /** After how many it ends; never unless given. */
  readonly count?: number;
}

/** Everything that clients were answered. */
export interface Load {
  readonly answers: readonly Answered[];
  readonly unanswered: readonly Unanswered[];
  /** Resolves when there are so many more answers of a kind, whatever they say. */
  more(count: number, kind: Kind): Promise<void>;
  /** Resolves when every client that has a count is done. */
  readonly done: Promise<void>;
  /** Resolves when the last request is over. */
  stop(): Promise<void>;
}

interface Waiting {
  left: number;
  readonly kind: Kind;
  done(): void;
}

/** Starts clients that ask without a pause. */
export function startLoad(world: World, clients: readonly Client[], seed: number): Load {
  const journal = new Journal();
  let stopped = false;
  const run = async ({ mix, nodes = world.nodes, count = Infinity }: Client, index: number) => {
    const random = randomOf(seed + index);
    const asker = new Asker(world, journal, random);
    for (let asked = 0; asked < count && !stopped; asked += 1) {
      await asker.ask(random.pick(nodes), random.pick(mix));
    }
  };
  const running = clients.map(run);
  const counted = running.filter((_, index) => clients[index]?.count !== undefined);
  return {
    answers: journal.answers,
    unanswered: journal.unanswered,
    more: (count, kind) => journal.more(count, kind),
    done: Promise.all(counted).then(() => undefined),
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
  };
}

class Journal {
  readonly answers: Answered[] = [];
  readonly unanswered: Unanswered[] = [];
  readonly #waiting = new Set<Waiting>();

  more(count: number, kind: Kind): Promise<void> {
    return new Promise((resolve) => {
      const waiting = { left: count, kind, done: resolve };
      this.#waiting.add(waiting);
    });
  }

  add(answer: Answered): void {
    this.answers.push(answer);
    for (const waiting of this.#waiting) {
      if (waiting.kind !== answer.kind) continue;
      waiting.left -= 1;
      if (waiting.left > 0) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }
}

/** One client: it knows what it has seen on each server. */
class Asker {
  readonly #world: World;
  readonly #journal: Journal;
  readonly #random: Random;
  readonly #seen = new Map<Node, number>();

  constructor(world: World, journal: Journal, random: Random) {
    this.#world = world;
    this.#journal = journal;
    this.#random = random;
  }

  async ask(node: Node, kind: Kind): Promise<void> {
    if (kind === 'write') return this.#write(node);
    if (kind === 'read') return this.#read(node, 0);
    if (kind === 'batch') return this.#batch(node);
    const { tenant } = this.#world;
    const [action, resource] =
      kind === 'limited' ? ['use', 'quota:ample'] : ['open', 'vault:closed'];
    const check = { tenant, subject: 'sam', action, resource };
    await this.#send(node, kind, [], 0, ['/check', check]);
  }

  #reading(): Reading {
    return { subject: this.#random.pick(SUBJECTS), document: this.#random.pick(DOCUMENTS) };
  }

  #checkOf({ subject, document }: Reading): object {
    return {
      tenant: this.#world.tenant,
      subject,
      action: 'read',
      resource: `document:${document}`,
    };
  }

  async #read(node: Node, min_revision: number): Promise<void> {
    const reading = this.#reading();
    const check = { ...this.#checkOf(reading), ...(min_revision > 0 && { min_revision }) };
    await this.#send(node, 'read', [reading], min_revision, ['/check', check]);
  }

  async #batch(node: Node): Promise<void> {
    const readings = Array.from({ length: 5 }, () => this.#reading());
    const checks = readings.map((reading) => this.#checkOf(reading));
    await this.#send(node, 'batch', readings, 0, ['/check/batch', { checks }]);
  }

  async #write(node: Node): Promise<void> {
    const add: unknown[] = [];
    const remove: unknown[] = [];
    for (const line of changingLines(this.#world.tenant)) {
      const draw = this.#random.below(10);
      if (draw < 1) add.push(line);
      else if (draw < 2) remove.push(line);
    }
    if (add.length + remove.length === 0) return;
    const change = await this.#send(node, 'write', [], 0, ['/v1/rules', { add, remove }]);
    if (change?.status !== 200) return;
    const others = this.#world.nodes.filter((other) => other !== node);
    await this.#read(this.#random.pick(others), Number(change.body['revision']));
  }

  async #send(
    node: Node,
    kind: Kind,
    readings: readonly Reading[],
    minRevision: number,
    [path, body]: [path: string, body: object],
  ): Promise<Reply | undefined> {
    const least = Math.max(minRevision, this.#seen.get(node) ?? 0);
    try {
      const reply = await node.call('POST', path, body);
      this.#journal.add({ ...reply, node, kind, readings, least });
      // Of a change that it made a server tells the revision to ask for: with its stores at hand it has
      // that itself by then.
      const hasIt = kind !== 'write' || !this.#world.isLosable;
      if (reply.status === 200 && hasIt) this.#seen.set(node, Number(reply.body['revision']));
      return reply;
    } catch (error) {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
      this.#journal.unanswered.push({ node, kind, why });
      return undefined;
    }
  }
}
