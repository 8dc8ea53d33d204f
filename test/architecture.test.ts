import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { cyclesIn, type ImportGraph, importsIn, readImports } from './support/imports.js';

const SOURCE = resolve(import.meta.dirname, '../src');

/** Folders and files of src/, the lowest first. A file imports from its own folder and from lower layers. */
const LAYERS: readonly (readonly string[])[] = [
  ['vocabulary.ts', 'check-members.ts', 'errors.ts'],
  ['platform'],
  ['engine', 'governance', 'audit'],
  ['identity'],
  ['approvals'],
  ['policy'],
  ['decision'],
  ['http', 'cli'],
];

/** Files directly in src/ that are named in no layer put the others together: `server.ts`, `main.ts`. */
const COMPOSITION = LAYERS.length;

function placeOf(file: string): { layer: number; part: string } {
  const [part = ''] = file.split('/');
  const layer = LAYERS.findIndex((parts) => parts.includes(part));
  if (layer === -1 && !part.endsWith('.ts')) return { layer: Number.NaN, part };
  return layer === -1 ? { layer: COMPOSITION, part: 'src' } : { layer, part };
}

/** Imports that run upward, or between the parts of one layer. */
function wrongWays(graph: ImportGraph): string[] {
  return [...graph].flatMap(([file, imports]) =>
    imports.filter((imported) => !mayImport(file, imported)).map((to) => `${file} imports ${to}`),
  );
}

function mayImport(file: string, imported: string): boolean {
  const [from, to] = [placeOf(file), placeOf(imported)];
  // The vocabulary, the wire format of a check and the errors are one part, of three files.
  return (
    to.layer < from.layer || (to.layer === from.layer && (to.part === from.part || to.layer === 0))
  );
}

describe('the architecture', () => {
  let graph: ImportGraph;
  before(() => {
    graph = readImports(SOURCE);
  });

  it('has a layer for every folder', () => {
    const strangers = [...graph.keys()].filter((file) => Number.isNaN(placeOf(file).layer));
    assert.deepEqual(strangers, []);
  });

  it('imports downward only', () => {
    assert.deepEqual(wrongWays(graph), []);
  });

  it('has no import cycles, not even of types', () => {
    assert.deepEqual(cyclesIn(graph), []);
  });

  it('imports files that are there, inside src/', () => {
    const missing = [...graph].flatMap(([file, imports]) =>
      imports.filter((to) => !graph.has(to)).map((to) => `${file} imports ${to}`),
    );
    assert.deepEqual(missing, []);
  });

  it('has no barrels', () => {
    const barrels = [...graph.keys()].filter((file) => basename(file) === 'index.ts');
    assert.deepEqual(barrels, []);
  });

  it('has no type `any`', () => {
    const loose = [...graph.keys()].filter((file) =>
      hasAny(readFileSync(join(SOURCE, file), 'utf8')),
    );
    assert.deepEqual(loose, []);
  });
});

function hasAny(text: string): boolean {
  const code = text
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
  return /(?:[:<,|&(=]|\bas|\bsatisfies)\s*any\b(?:\[\])*\s*(?:[;,>)\]|&={]|$)/m.test(code);
}

describe('the architecture test', () => {
  const graphOf = (imports: Record<string, string[]>) => new Map(Object.entries(imports));

  it('reads every form of import', () => {
    const text = [
      "import './bare.js';",
      "import type { A } from './type.js';",
      "import {\n  b,\n  type C,\n} from './list.js';",
      "export { d } from './again.js';",
      "const e = await import('./late.js');",
      " * import { f } from './comment.js'",
      "import { g } from 'package';",
    ].join('\n');
    const found = ['./bare.js', './type.js', './list.js', './again.js', './late.js', 'package'];
    assert.deepEqual(importsIn(text), found);
  });

  it('finds an import that runs upward, and one between neighbours', () => {
    const graph = graphOf({
      'platform/a.ts': ['engine/b.ts'],
      'engine/b.ts': ['governance/c.ts', 'engine/d.ts', 'platform/e.ts'],
      'http/f.ts': ['server.ts', 'vocabulary.ts'],
      'errors.ts': ['vocabulary.ts'],
      'main.ts': ['server.ts', 'cli/g.ts'],
    });
    assert.deepEqual(wrongWays(graph), [
      'platform/a.ts imports engine/b.ts',
      'engine/b.ts imports governance/c.ts',
      'http/f.ts imports server.ts',
    ]);
  });

  it('finds cycles of any length, and nothing else', () => {
    const graph = graphOf({
      a: ['b'],
      b: ['c'],
      c: ['a', 'd'],
      d: ['e'],
      e: [],
      f: ['f'],
      g: ['a'],
    });
    const sorted = cyclesIn(graph).map((cycle) => cycle.sort().join());
    assert.deepEqual(sorted, ['a,b,c', 'f']);
  });

  it('finds `any` in types, not in words', () => {
    for (const loose of ['x: any;', 'y as any)', 'Map<string, any>', 'z: any[] = []', 'f(a: any,'])
      assert.ok(hasAny(loose), loose);
    for (const strict of ["'any'", '// as any', 'many: boolean', 'anyOf: x', '/* : any; */ x'])
      assert.ok(!hasAny(strict), strict);
  });
});
