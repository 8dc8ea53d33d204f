import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

/** The files that each file imports, type imports too; paths relative to the source folder. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** `import … from`, `export … from`, `import '…'` and `import('…')`; comments never start a line so. */
const IMPORT =
  /^(?:import|export)\b[^'";]*?\bfrom\s+'(?<from>[^']+)'|^import\s+'(?<bare>[^']+)'|\bimport\('(?<dynamic>[^']+)'\)/gm;

/** Every TypeScript file below a folder, sorted, with `/` between folders. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** Reads who imports whom. What comes out of packages is left out. */
export function readImports(folder: string): ImportGraph {
  return new Map(
    sourceFiles(folder).map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return [file, importsIn(text).flatMap((specifier) => localFile(file, specifier))];
    }),
  );
}

/** The specifiers that a text imports. */
export function importsIn(text: string): string[] {
  return [...text.matchAll(IMPORT)].flatMap(({ groups = {} }) =>
    [groups['from'], groups['bare'], groups['dynamic']].filter((found) => found !== undefined),
  );
}

/** Groups of files that import each other in a circle. */
export function cyclesIn(graph: ImportGraph): string[][] {
  const reach = new Map([...graph.keys()].map((file) => [file, reachableFrom(graph, file)]));
  const cyclic = [...graph.keys()].filter((file) => reach.get(file)?.has(file));
  const groups = cyclic.map((file) =>
    cyclic.filter((other) => reach.get(file)?.has(other) && reach.get(other)?.has(file)),
  );
  return groups.filter((group, index) => group[0] === cyclic[index]);
}

/** What a file imports, and what that imports, and so on. */
function reachableFrom(graph: ImportGraph, file: string): Set<string> {
  const reached = new Set<string>();
  const next = [...(graph.get(file) ?? [])];
  for (let found = next.pop(); found !== undefined; found = next.pop()) {
    if (reached.has(found)) continue;
    reached.add(found);
    next.push(...(graph.get(found) ?? []));
  }
  return reached;
}

function localFile(importer: string, specifier: string): string[] {
  if (!specifier.startsWith('.')) return [];
  return [posix.join(dirname(importer), specifier).replace(/\.js$/, '.ts')];
}
