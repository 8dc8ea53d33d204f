import type { Database } from '../platform/database.js';
import { inTurns } from '../platform/turns.js';
import { activeBundle, type BundleSummary, findBundle, type StoredBundle } from './bundle-store.js';
import { compilingDefinition, type CompileOptions, type Definition } from './compile-definition.js';

/** The active bundle and what it defines. */
export interface ActivePolicy {
  readonly bundle: BundleSummary;
  readonly definition: Definition;
}

/**
 * Reads the active bundle, compiling it but once: its digest tells whether it is still the same.
 *
 * @example
 * const read = activePolicyReader();
 * const policy = await read(transaction); // undefined before the first bundle
 */
export function activePolicyReader(): (database: Database) => Promise<ActivePolicy | undefined> {
  let known: { readonly digest: string; readonly definition: Definition } | undefined;
  return async (database) => {
    const bundle = await activeBundle(database);
    if (bundle === undefined) return undefined;
    if (known?.digest !== bundle.digest) {
      known = { digest: bundle.digest, definition: await load(database, bundle.bundle) };
    }
    return { bundle, definition: known.definition };
  };
}

async function load(database: Database, number: number): Promise<Definition> {
  const stored = await findBundle(database, number, 'definition');
  if (stored === undefined) throw new Error(`bundle ${number} is active, but not stored`);
  const { definition, faults } = await inTurns(
    compilingDefinition(stored.files, storedModel(stored)),
  );
  if (definition !== undefined && faults.length === 0) return definition;
  const told = faults.map(
    (fault) => `${fault.file}:${fault.line}:${fault.column}: ${fault.message}`,
  );
  throw new Error(`bundle ${number} is active, but this version refuses it: ${told.join('; ')}`);
}

/** A stored bundle decides by the model text it was applied with, whatever ships today. */
export function storedModel({ model, modelText }: StoredBundle): CompileOptions {
  return { shippedModels: new Map([[model, modelText]]) };
}
