import type { Worker } from 'node:cluster';
import { type Later, later, withinTime } from './platform/later.js';
import { closeUntakenConnections } from './untaken-connections.js';
import type { FromWorker, ToWorker } from './worker-messages.js';

/** How a worker ended by itself. */
export interface Death {
  /** In its own words where it had any: `SIGKILL`, `exit code 1`, an error's message. */
  readonly reason: string;
  /** Milliseconds that it answered; `undefined` where it never did. */
  readonly answered: number | undefined;
}

/** Who looks after a worker. */
export interface Keeper {
  /** It said something that is not about its own state. */
  heard(member: Member, message: Exclude<FromWorker, { kind: 'answering' | 'failing' }>): void;
  /** It answers from now on, at this address. */
  answers(member: Member, url: string): void;
  /** It has ended; without a death it was told to. */
  ended(member: Member, death: Death | undefined): void;
}

/** One worker, from its start to its end. */
export class Member {
  /** Whether it came to answer. */
  readonly started: Later<boolean> = later();
  readonly #worker: Worker;
  readonly #keeper: Keeper;
  readonly #ended: Later<{ inOrder: boolean }> = later();
  #state: 'starting' | 'answering' | 'leaving' = 'starting';
  /** When it began to answer, by `performance`. */
  #since: number | undefined;
  #reason: string | undefined;
  #reported: Later<boolean> = later();

  constructor(worker: Worker, keeper: Keeper) {
    this.#worker = worker;
    this.#keeper = keeper;
    closeUntakenConnections(worker.process);
    worker.on('message', (message: FromWorker) => this.#hear(message));
    worker.on('error', (error) => {
      this.#reason ??= error.message;
      // What could not be started has no exit.
      if (this.pid === undefined) this.#end(null, null);
    });
    worker.once('exit', (code: number | null, signal: string | null) => this.#end(code, signal));
  }

  /** Unlike the id of its process, never given out again. */
  get id(): number {
    return this.#worker.id;
  }

  get pid(): number | undefined {
    return this.#worker.process.pid;
  }

  get isAnswering(): boolean {
    return this.#state === 'answering';
  }

  get isLeaving(): boolean {
    return this.#state === 'leaving';
  }

  /** Whether it has a server that counts. */
  get hasStarted(): boolean {
    return this.#since !== undefined;
  }

  /** One that is gone hears nothing, and its end is told elsewhere. */
  tell(message: ToWorker): void {
    if (this.#worker.isConnected()) this.#worker.send(message, () => undefined);
  }

  /** Has it say what it has counted; false where it does not within `time` milliseconds. */
  async report(time: number): Promise<boolean> {
    if (this.#reported.isSettled) this.#reported = later();
    this.tell({ kind: 'report' });
    return withinTime(this.#reported.promise, time, false);
  }

  /** Has it answer those who are connected for a last time, and take no others. */
  leave(): void {
    this.#state = 'leaving';
    this.tell({ kind: 'leave' });
  }

  /**
   * Has it end, and kills it after `time` milliseconds; false where it did not finish what it had
   * begun.
   */
  async dismiss(time: number): Promise<boolean> {
    this.#state = 'leaving';
    this.tell({ kind: 'stop' });
    const end = await withinTime(this.#ended.promise, time, undefined);
    if (end !== undefined) return end.inOrder;
    this.kill();
    await this.#ended.promise;
    return false;
  }

  kill(): void {
    this.#worker.process.kill('SIGKILL');
  }

  #hear(message: FromWorker): void {
    if (message.kind === 'answering') {
      if (this.#state === 'starting') this.#state = 'answering';
      this.#since = performance.now();
      this.#keeper.answers(this, message.url);
      this.started.resolve(true);
    } else if (message.kind === 'failing') {
      this.#reason = message.reason;
    } else {
      this.#keeper.heard(this, message);
      if (message.kind === 'report') this.#reported.resolve(true);
    }
  }

  #end(code: number | null, signal: string | null): void {
    if (this.#ended.isSettled) return;
    const reason = this.#reason ?? signal ?? `exit code ${code}`;
    const answered = this.#since === undefined ? undefined : performance.now() - this.#since;
    // One that never answered had begun nothing.
    this.#ended.resolve({ inOrder: code === 0 || answered === undefined });
    this.#keeper.ended(this, this.isLeaving ? undefined : { reason, answered });
    this.started.resolve(false);
    this.#reported.resolve(false);
  }
}
