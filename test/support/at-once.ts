/** Tests of one suite by their names. */
export type Cases = Readonly<Record<string, () => Promise<void>>>;

/**
 * Tests that wait more than they work, and share nothing: all begin together, each is shown by itself.
 * They are given up with the suite's time-out, counted from their common beginning.
 */
export function itAtOnce(cases: Cases): void {
  const running = new Map<string, Promise<void>>();
  before(() => {
    for (const [name, run] of Object.entries(cases)) {
      const over = run();
      // Told by the test of that name, which may look for it later.
      over.catch(() => undefined);
      running.set(name, over);
    }
  });
  for (const name of Object.keys(cases)) it(name, () => running.get(name));
  // Where one was left out (`--grep`, a failed hook), nothing of it goes on behind the next suite.
  after(() => Promise.allSettled(running.values()));
}
