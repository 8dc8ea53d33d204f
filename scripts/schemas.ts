/**
 * Writes the JSON Schemas in schema/, for editors, from the schemas that the server validates with:
 * `node --import tsx/esm scripts/schemas.ts`
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { governanceFileSchema } from '../src/governance/governance-schema.js';
import { BundleSchema } from '../src/policy/bundle-schema.js';
import { TestsSchema } from '../src/policy/tests-schema.js';

/** The folder that is written. */
export const SCHEMA_FOLDER = resolve(import.meta.dirname, '../schema');

/** The text of each file in schema/, by its name. */
export function schemaFiles(): Map<string, string> {
  return new Map([
    ['bundle.schema.json', textOf(BundleSchema)],
    ['governance.schema.json', textOf(governanceFileSchema)],
    ['tests.schema.json', textOf(TestsSchema)],
  ]);
}

function textOf(schema: object): string {
  const dialect = 'https://json-schema.org/draft/2020-12/schema';
  return `${JSON.stringify({ $schema: dialect, ...schema }, undefined, 2)}\n`;
}

if (process.argv[1] === import.meta.filename) {
  for (const [name, text] of schemaFiles()) writeFileSync(resolve(SCHEMA_FOLDER, name), text);
}
