import { readFileSync } from 'node:fs';

/** The version in package.json, which stands two folders up from the sources and from `dist/`. */
export function versionOf(): string {
  const content: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  const isPackage = typeof content === 'object' && content !== null && 'version' in content;
  return isPackage ? String(content.version) : 'unknown';
}
