import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { allRoutes } from '../../src/http/routes.js';
import { stubServices } from '../support/stub-services.js';

/** The folder of the repository. */
export const ROOT = new URL('../../', import.meta.url);

/** A file of the repository. */
export function textOf(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

/** What a YAML file of the repository says; its shape is the caller's to know. */
export function yamlOf<Shape>(path: string): Shape {
  return load(textOf(path)) as Shape;
}

/** `NAME=value` lines, without comments. */
export function assignmentsOf(text: string): [name: string, value: string][] {
  return [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]);
}

/** The paths that may be asked with GET and without a credential: those for probes. */
export function probePaths(): string[] {
  return allRoutes(stubServices())
    .filter(({ method, path }) => method === 'GET' && path.startsWith('/health'))
    .map(({ path }) => path);
}

/** `15s` or `1m` in seconds. */
export function secondsOf(text: string): number {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? [];
  if (number === undefined) throw new TypeError(`no duration: ${text}`);
  return Number(number) * { ms: 0.001, s: 1, m: 60 }[unit as 'ms' | 's' | 'm'];
}
