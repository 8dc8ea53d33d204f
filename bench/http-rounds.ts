import { type LoadGenerator, type Round, startLoadGenerator } from './http-load.js';
import { interleave, ratioOf, spreadOf } from './measure.js';
import type { Figure, Goal } from './report.js';
import type { Peer } from './servers/peer.js';

/** How long servers are loaded in each round, in seconds, and how often. */
export interface Pace {
  readonly round: number;
  readonly rounds: number;
}

/** Good enough to compare by. */
export const STEADY: Pace = { round: 4, rounds: 7 };

/** Good enough to see whether a change helped. */
export const QUICK: Pace = { round: 1, rounds: 3 };

/** Decisions after which a server is warm, and seconds that it gets for them at most. */
const WARM = { decisions: 30_000, seconds: 8 };

/** The rounds of one server. */
export interface Measured {
  readonly name: string;
  readonly rounds: readonly Round[];
}

/** Warms all servers up, then loads them in turn; stops them in the end. */
export async function loadInTurn<const Peers extends readonly Peer[]>(
  peers: Peers,
  pace: Pace,
): Promise<{ -readonly [Index in keyof Peers]: Measured }> {
  const generator = startLoadGenerator();
  try {
    for (const peer of peers) await warmUp(peer, generator);
    const all = await interleave(peers, pace.rounds, (peer) => generator.load(peer, pace.round));
    const measured = peers.map(({ name }, index): Measured => ({ name, rounds: all[index] ?? [] }));
    return measured as { -readonly [Index in keyof Peers]: Measured };
  } finally {
    generator.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}

/** Loads a server until it has compiled what it runs often. */
export async function warmUp(peer: Peer, generator: LoadGenerator): Promise<void> {
  let decisions = 0;
  for (let second = 0; second < WARM.seconds && decisions < WARM.decisions; second += 1) {
    decisions += (await generator.load(peer, 1)).requests * peer.target.decisions;
  }
}

/** What a server did, on its own. */
export function figuresOf({ name, rounds }: Measured): Figure[] {
  const figure = (what: string, unit: Figure['unit'], of: (round: Round) => number): Figure => {
    return { what: `${name}: ${what}`, unit, value: spreadOf(rounds.map(of)) };
  };
  return [
    figure('requests', '/s', (round) => round.rate),
    figure('p50', 'ms', (round) => round.p50),
    figure('p99', 'ms', (round) => round.p99),
    figure('processor time a request', 'µs', (round) => round.cpu),
    figure('load generator busy', '%', (round) => round.generatorBusy),
  ];
}

/** What a server did, measured by what another did in the same rounds. */
export function comparison(
  ours: Measured,
  theirs: Measured,
  goals: { readonly rate?: Goal; readonly p99?: Goal; readonly cpu?: Goal },
): Figure[] {
  const pair = `${ours.name} ÷ ${theirs.name}`;
  const figure = (what: string, of: (round: Round) => number, goal?: Goal): Figure => ({
    what: `${pair}: ${what}`,
    unit: 'times',
    value: ratioOf(ours.rounds.map(of), theirs.rounds.map(of)),
    ...(goal === undefined ? {} : { goal }),
  });
  return [
    figure('requests a second', (round) => round.rate, goals.rate),
    figure('p99', (round) => round.p99, goals.p99),
    figure('processor time a request', (round) => round.cpu, goals.cpu),
  ];
}
