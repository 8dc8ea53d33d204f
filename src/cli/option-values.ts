import { InvalidArgumentError } from 'commander';

/** Reads a number such as that of a bundle. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

/** Gathers the values of an option that may be given several times. */
export function gathered(value: string, former: readonly string[] = []): readonly string[] {
  return [...former, value];
}
