import { crc32 } from 'node:zlib';
import { COLUMNS, type StoredRow } from './audit-row.js';

/** Characters before the text of a line: its checksum and a space. */
const HEAD = 9;

/**
 * A row as a line of a spill file: the CRC-32 of what follows as 8 hexadecimal digits, a space, and the
 * number of its events and its values as JSON. A line that was cut short, or changed, is known by it.
 */
export function lineOf({ count, values }: StoredRow): string {
  const text = JSON.stringify([count, ...values]);
  return `${checksum(text)} ${text}\n`;
}

/** The row of a line, given without its end; undefined where the line is not as it was written. */
export function rowOfLine(line: string): StoredRow | undefined {
  const text = line.slice(HEAD);
  if (line.slice(0, HEAD) !== `${checksum(text)} `) return undefined;
  const members: unknown = parsed(text);
  if (!Array.isArray(members) || members.length !== COLUMNS.length + 1) return undefined;
  const [count, ...values] = members as readonly unknown[];
  if (!isCount(count) || !values.every(isValue)) return undefined;
  return { count, values };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function isValue(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}
