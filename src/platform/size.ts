const UNITS = new Map([
  ['', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

/**
 * Reads a size such as `512MiB` or `1GiB`: a whole number, then `KiB`, `MiB` or `GiB`; without a unit,
 * bytes.
 *
 * @returns bytes, or `undefined` where the text is no such size or too large to count
 * @example parseSize('1GiB') // 1073741824
 */
export function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})([A-Za-z]*)$/.exec(text) ?? [];
  const factor = UNITS.get(unit);
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
