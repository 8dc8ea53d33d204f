/** From the signal to the end, in milliseconds; more only where a long drain was asked for. */
const SHUTDOWN = 10_000;

/** Milliseconds that a server has from the signal to its end. */
export function shutdownTime(drainMs: number): number {
  return Math.max(SHUTDOWN, drainMs + SHUTDOWN / 2);
}
