import type { SuiteResult } from '../report.js';

/** What a run was asked for. */
export interface RunOptions {
  /** A few seconds instead of minutes: for a first look, not for the record. */
  readonly quick: boolean;
  /** The checkout whose built server is measured; this one unless given. */
  readonly checkout: string | undefined;
  /** Rules that the server holds, where a suite does not measure by their number. */
  readonly rules: number | undefined;
  /** Tells what is going on. */
  tell(message: string): void;
}

/** A group of measurements that share their peers. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  run(options: RunOptions): Promise<Pick<SuiteResult, 'figures' | 'notes'>>;
}
