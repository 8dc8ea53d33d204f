import { readFile, writeFile } from 'node:fs/promises';

const DOCUMENT = new URL('../docs/performance.md', import.meta.url);

/**
 * Replaces a part of docs/performance.md: what stands between `<!-- NAME -->` and `<!-- /NAME -->`.
 * Throws where the document has no place of that name.
 */
export async function writePart(name: string, part: string): Promise<void> {
  const text = await readFile(DOCUMENT, 'utf8');
  const [opening, closing] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = text.indexOf(opening);
  const end = text.indexOf(closing);
  if (start === -1 || end < start) throw new Error(`docs/performance.md has no place for ${name}`);
  await writeFile(
    DOCUMENT,
    `${text.slice(0, start + opening.length)}\n\n${part}\n\n${text.slice(end)}`,
  );
}
