import { readdir, readFile } from 'node:fs/promises';

const FOLDER = new URL('../../models/', import.meta.url);

/** What guards the server itself; no model for a bundle. */
const BUILT_IN = 'system.conf';

/** The models that ship with the server for bundles, by name: the text of `models/NAME.conf`. */
export async function loadShippedModels(): Promise<ReadonlyMap<string, string>> {
  const files = (await readdir(FOLDER))
    .filter((file) => file.endsWith('.conf') && file !== BUILT_IN)
    .sort();
  const models = await Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, FOLDER), 'utf8');
      return [file.slice(0, -'.conf'.length), text] as const;
    }),
  );
  return new Map(models);
}
