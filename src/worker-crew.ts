import cluster from 'node:cluster';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from './platform/config.js';
import { later } from './platform/later.js';
import type { Logger } from './platform/log.js';
import { type Death, type Keeper, Member } from './worker-member.js';
import { createCrewMetrics, reportOf, WorkerReports } from './worker-metrics.js';

/** What a crew is made of. */
export interface CrewOptions {
  /** Workers that answer when all is well. */
  readonly count: number;
  /** The program that a worker runs: `worker.ts`. */
  readonly entry: URL;
  /** What each worker is given. */
  readonly config: Config;
  readonly log: Pick<Logger, 'info' | 'error'>;
  /** Milliseconds that a worker has for its end before it is killed. */
  readonly stopTime: number;
}

/** The workers of this process, kept at their number until they are stopped. */
export interface Crew {
  /**
   * Starts the workers; answers their address once all of them answer. Rejects where several starts
   * in a row have failed.
   */
  start(): Promise<string>;
  /** Settles with the reason when no worker answers and none can be started; never rejects. */
  readonly failed: Promise<string>;
  /** Has every worker turn `/health/ready` away; none is replaced from here on. */
  drain(): void;
  /**
   * Replaces one worker after the other: the old one leaves when the new one answers. Where one
   * cannot be started the others stay. Called during a restart, it begins another one after it.
   */
  restart(): void;
  /** Stops every worker; rejects where one did not finish what it had begun. */
  stop(): Promise<void>;
  /** Ends every worker at once. */
  kill(): void;
}

/** Starts in a row that may fail before nobody believes in the next one. */
const TRIES = 5;

/** Milliseconds before a worker is replaced that ended soon; doubled each time, up to the last. */
const FIRST_PAUSE = 100;
const LAST_PAUSE = 10_000;

/** A worker that answered this long, in milliseconds, did not end soon. */
const LONG_LIFE = 10_000;

/** Milliseconds that workers have to report what they counted. */
const REPORT_TIME = 1_000;

/** Makes the keeper of the workers; `start` starts them. There is one in a process. */
export function createCrew(options: CrewOptions): Crew {
  return new WorkerCrew(options);
}

class WorkerCrew implements Crew, Keeper {
  readonly #options: CrewOptions;
  readonly #members = new Set<Member>();
  readonly #reports = new WorkerReports();
  readonly #metrics = createCrewMetrics();
  readonly #complete = later<string>();
  readonly #failed = later<string>();
  readonly #draining = new AbortController();
  /** Starts that have failed since a worker last came to answer. */
  #failedStarts = 0;
  /** Workers in a row that ended soon. */
  #shortLives = 0;
  /** One replacement after the other. */
  #replacing: Promise<unknown> = Promise.resolve();
  #restartIsDue = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  start(): Promise<string> {
    cluster.setupPrimary({ exec: fileURLToPath(this.#options.entry), args: [] });
    for (let count = 0; count < this.#options.count; count += 1) this.#fork();
    const failure = this.failed.then((reason) => {
      throw new Error(`the workers do not start: ${reason}`);
    });
    return Promise.race([this.#complete.promise, failure]);
  }

  drain(): void {
    this.#draining.abort();
    for (const member of this.#members) member.tell({ kind: 'drain' });
  }

  restart(): void {
    if (this.#restartIsDue || this.#isDraining) return;
    this.#restartIsDue = true;
    this.#replacing = this.#replacing.then(() => this.#replaceAll());
  }

  async stop(): Promise<void> {
    this.drain();
    const ends = await Promise.all([...this.#members].map((member) => this.#dismiss(member)));
    if (!ends.every(Boolean)) throw new Error('a worker did not finish what it had begun');
  }

  kill(): void {
    for (const member of this.#members) member.kill();
  }

  heard(member: Member, message: Parameters<Keeper['heard']>[1]): void {
    switch (message.kind) {
      case 'loaded':
        member.tell({ kind: 'start', config: this.#options.config });
        break;
      case 'retiring':
        this.#replacing = this.#replacing.then(() => this.#replace(member));
        break;
      case 'report':
        this.#reports.take(member.id, message.report);
        break;
      case 'metrics':
        void this.#sumMetrics().then((text) => member.tell({ kind: 'metrics', text }));
        break;
    }
  }

  answers(member: Member, url: string): void {
    this.#failedStarts = 0;
    if (this.#isDraining) member.tell({ kind: 'drain' });
    if (this.#answering >= this.#options.count) this.#complete.resolve(url);
  }

  ended(member: Member, death: Death | undefined): void {
    this.#members.delete(member);
    this.#reports.end(member.id);
    if (death === undefined) return;
    const { log } = this.#options;
    log.error({ worker: member.pid, reason: death.reason }, 'a worker ended by itself');
    this.#metrics.deaths.inc();
    if (!this.#isDraining) this.#mend(death);
  }

  get #isDraining(): boolean {
    return this.#draining.signal.aborted;
  }

  get #answering(): number {
    return [...this.#members].filter(({ isAnswering }) => isAnswering).length;
  }

  #fork(): Member {
    const member = new Member(cluster.fork(), this);
    this.#members.add(member);
    return member;
  }

  /** Puts another worker in the place of one that ended; not for ever where none ever answers. */
  #mend({ reason, answered }: Death): void {
    if (answered === undefined) this.#failedStarts += 1;
    const isServing = this.#complete.isSettled && this.#answering > 0;
    if (this.#failedStarts >= TRIES && !isServing) {
      this.#failed.resolve(reason);
      return;
    }
    this.#shortLives = answered !== undefined && answered >= LONG_LIFE ? 0 : this.#shortLives + 1;
    const pause = delay(pauseAfter(this.#shortLives), undefined, { signal: this.#draining.signal });
    void pause.then(
      () => this.#fillUp(),
      () => undefined,
    );
  }

  /** Forks one worker where one is missing; during a replacement none may be. */
  #fillUp(): void {
    const staying = [...this.#members].filter(({ isLeaving }) => !isLeaving);
    if (staying.length < this.#options.count) this.#fork();
  }

  async #replaceAll(): Promise<void> {
    this.#restartIsDue = false;
    const { log } = this.#options;
    log.info('the workers are replaced, one after the other');
    // Not those that join meanwhile.
    const present = [...this.#members];
    for (const member of present) {
      if (!(await this.#replace(member))) return;
    }
    log.info('the workers were replaced');
  }

  /** Starts a worker in the place of this one, which leaves when that answers; false where it fails. */
  async #replace(member: Member): Promise<boolean> {
    const { log, config } = this.#options;
    if (this.#isDraining) return false;
    // It has ended meanwhile, and was replaced for that.
    if (!this.#members.has(member) || member.isLeaving) return true;
    const substitute = this.#fork();
    const hasStarted = await substitute.started.promise;
    if (this.#isDraining) return false;
    if (!hasStarted) {
      log.error({ worker: member.pid }, 'a worker could not be replaced; it stays');
      return false;
    }
    member.leave();
    const { signal } = this.#draining;
    await delay(config.drainMs, undefined, { signal }).catch(() => undefined);
    // The whole server stops: the drain goes on, and ends with that of the others.
    if (this.#isDraining) return false;
    await this.#dismiss(member);
    return true;
  }

  async #dismiss(member: Member): Promise<boolean> {
    const { log, stopTime } = this.#options;
    const inOrder = await member.dismiss(stopTime);
    if (!inOrder) log.error({ worker: member.pid }, 'a worker did not finish what it had begun');
    return inOrder;
  }

  async #sumMetrics(): Promise<string> {
    const asked = [...this.#members].filter(({ hasStarted }) => hasStarted);
    const fresh = new Set<number>();
    const report = async (member: Member): Promise<void> => {
      if (await member.report(REPORT_TIME)) fresh.add(member.id);
    };
    await Promise.all(asked.map(report));
    this.#metrics.silences.inc(asked.filter(({ id }) => !fresh.has(id)).length);
    this.#metrics.answering.set(this.#answering);
    return this.#reports.text(fresh, await reportOf(this.#metrics.registry));
  }
}

/** Milliseconds before a worker is replaced, where so many in a row have ended soon. */
export function pauseAfter(shortLives: number): number {
  // An accident is mended at once.
  if (shortLives <= 1) return 0;
  return Math.min(FIRST_PAUSE * 2 ** (shortLives - 2), LAST_PAUSE);
}
