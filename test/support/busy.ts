/** Keeps this process from anything else for so many milliseconds. */
export function keepBusy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Has what was begun just now go out, and then keeps this process busy while the answer comes. */
export async function goDeaf(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  keepBusy(milliseconds);
}
