import * as errors from '../src/errors.js';

/** What is fixed of an error that the server may answer. */
export interface CatalogEntry {
  readonly code: string;
  readonly status: number;
  readonly title: string;
}

/** Every error of src/errors.ts that has a code, by code. */
export function errorCatalog(): Map<string, CatalogEntry> {
  const entries = Object.values(errors).flatMap((exported): CatalogEntry[] => {
    if (!isAnswerable(exported)) return [];
    const error: unknown = Reflect.construct(exported, ['', []]);
    if (!(error instanceof errors.CountersignError)) return [];
    return [{ code: error.code, status: error.status, title: error.title }];
  });
  return new Map(entries.map((entry) => [entry.code, entry]));
}

function isAnswerable(exported: unknown): exported is new (...terms: unknown[]) => unknown {
  return typeof exported === 'function' && exported.prototype instanceof errors.CountersignError;
}
